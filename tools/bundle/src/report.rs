//! What came out, as a table of sizes.

use crate::compress::Twin;
use crate::optimise::Sizes;
use std::time::Duration;

/// Prints the wasm's way and every file's sizes.
pub(crate) fn print(sizes: &Sizes, twins: &[Twin], took: Duration) {
    println!(
        "bundle: wasm {} kB from cargo, {} kB after wasm-bindgen, {} kB after wasm-opt ({:.1} s in all)",
        kilo(sizes.compiled),
        kilo(sizes.bound),
        kilo(sizes.optimised),
        took.as_secs_f32()
    );
    println!("{:<24}{:>10}{:>10}{:>10}", "", "raw kB", "gzip kB", "brotli kB");
    for twin in twins {
        let name = twin.file.file_name().unwrap_or_default().to_string_lossy();
        println!("{name:<24}{:>10}{:>10}{:>10}", kilo(twin.raw as u64), kilo(twin.gzip), kilo(twin.brotli));
    }
}

/// Kilobytes of 1000, rounded up: a size is never shown smaller than it is.
fn kilo(bytes: u64) -> u64 {
    bytes.div_ceil(1000)
}
