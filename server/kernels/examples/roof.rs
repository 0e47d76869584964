//! How fast the products are, for each instruction set: on one thread, by the time it was on a core, so that other
//! work on the machine disturbs little.
//!
//!     cargo run --release -p concord-kernels --example roof

use std::time::Instant;

use concord_kernels::{Activations, Format, Isa, Matrix, Output, Pool, matmul};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for isa in Isa::all().into_iter().rev().filter(|isa| isa.name() != "portable") {
        let mut pool = Pool::new(1, isa)?;
        for (format, rows, columns) in [
            (Format::Q4K, 1536, 1536),
            (Format::Q4K, 1536, 8960),
            (Format::Q6K, 1536, 1536),
            (Format::Q6K, 1536, 8960),
            (Format::Q8Zero, 1536, 1536),
        ] {
            let (width, size) = format.block();
            let bytes = vec![1_u8; rows * columns / width * size];
            let matrix = Matrix::pack(&mut pool, format, &bytes, rows, columns)?;
            let mut line = format!("{} {format:?} {rows} x {columns}:", isa.name());
            for count in [1, 2, 4, 8, 256] {
                let mut activations = Activations::default();
                activations.fill(&mut pool, &matrix, count, |_, out| out.fill(0.5));
                let mut out = vec![0.0; count * rows];
                let mut best = f64::INFINITY;
                for _ in 0..if count == 256 { 3 } else { 12 } {
                    let started = on_core();
                    matmul(
                        &mut pool,
                        &activations,
                        &mut [Output { matrix: &matrix, out: &mut out, add: false }],
                    );
                    best = best.min(on_core() - started);
                }
                let products = (count * rows * columns) as f64 / best / 1e9;
                line += &format!("  {count} rows {products:.0} GMAC/s");
            }
            println!("{line}");
        }
    }
    Ok(())
}

/// Seconds this thread has been on a core; where the system does not say, of the clock.
fn on_core() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split_whitespace().next().and_then(|it| it.parse::<f64>().ok());
    nanos.map_or_else(|| Instant::now().elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}
