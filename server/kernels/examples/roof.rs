//! How fast the products are, for each instruction set: on one thread, by the clock, with weights that come from
//! memory each time, as a model's do. The best of five: on a quiet machine.
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
            (Format::Q4One, 1536, 1536),
            (Format::Q8Zero, 1536, 1536),
        ] {
            let (width, size) = format.block();
            let bytes = vec![1_u8; rows * columns / width * size];
            // As many as no cache holds: a model's weights come from memory each time.
            let copies = (64 << 20) / bytes.len() + 1;
            let matrices: Result<Vec<_>, _> =
                (0..copies).map(|_| Matrix::pack(&mut pool, format, &bytes, rows, columns)).collect();
            let matrices = matrices?;
            let mut line = format!("{} {format:?} {rows} x {columns}:", isa.name());
            for count in [1, 2, 4, 8, 256] {
                let mut activations = Activations::default();
                activations.fill(&mut pool, &matrices[0], count, |_, out| out.fill(0.5));
                let mut out = vec![0.0; count * rows];
                let mut best = f64::INFINITY;
                for _ in 0..5 {
                    let started = Instant::now();
                    for matrix in &matrices {
                        let mut output = [Output { matrix, out: &mut out, add: false }];
                        matmul(&mut pool, &activations, &mut output);
                    }
                    best = best.min(started.elapsed().as_secs_f64());
                }
                let products = (copies * count * rows * columns) as f64 / best / 1e9;
                line += &format!("  {count} rows {products:.0} GMAC/s");
            }
            println!("{line}");
        }
    }
    Ok(())
}
