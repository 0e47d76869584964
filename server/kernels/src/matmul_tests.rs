use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::isa::Isa;
use crate::pack::Format;

const FORMATS: [Format; 7] =
    [Format::Q4K, Format::Q6K, Format::Q4Zero, Format::Q4One, Format::Q5Zero, Format::Q8Zero, Format::F32];

/// Random bytes of a matrix whose scales are ordinary numbers.
fn weights(random: &mut ChaCha8Rng, format: Format, rows: usize, columns: usize) -> Vec<u8> {
    let (width, size) = format.block();
    let mut bytes: Vec<u8> = (0..rows * columns / width * size).map(|_| random.random()).collect();
    for block in bytes.chunks_mut(size) {
        let mut scale = |block: &mut [u8]| {
            let d = half::f16::from_f32(random.random_range(0.001..0.02));
            block.copy_from_slice(&d.to_le_bytes());
        };
        match format {
            Format::Q4K => {
                scale(&mut block[..2]);
                scale(&mut block[2..4]);
            }
            Format::Q4One => {
                scale(&mut block[..2]);
                // A minimum is negative where weights lie around zero.
                let min = half::f16::from_f32(random.random_range(-0.2..0.02));
                block[2..4].copy_from_slice(&min.to_le_bytes());
            }
            Format::Q6K => scale(&mut block[208..]),
            Format::F32 => {
                for float in block.chunks_mut(4) {
                    float.copy_from_slice(&random.random_range(-1.0_f32..1.0).to_le_bytes());
                }
            }
            _ => scale(&mut block[..2]),
        }
    }
    bytes
}

fn product(pool: &mut Pool, matrix: &Matrix, floats: &[f32]) -> Vec<f32> {
    let columns = matrix.columns();
    let rows = floats.len() / columns;
    let mut activations = Activations::default();
    activations.fill(pool, matrix, rows, |row, out| out.copy_from_slice(&floats[row * columns..][..columns]));
    let mut out = vec![1.0; rows * matrix.rows()];
    matmul(pool, &activations, &mut [Output { matrix, out: &mut out, add: false }]);
    let once = out.clone();
    matmul(pool, &activations, &mut [Output { matrix, out: &mut out, add: true }]);
    assert!(out.iter().zip(&once).all(|(twice, once)| *twice == once + once));
    once
}

#[test]
fn every_instruction_set_gives_the_scalar_product_bit_for_bit_and_near_the_exact_one() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for format in FORMATS {
        // 35 outputs: the last tile is not full. 13 rows: every size of block.
        let (rows, columns, count) = (35, 512, 13);
        let bytes = weights(&mut random, format, rows, columns);
        let floats: Vec<f32> = (0..count * columns).map(|_| random.random_range(-3.0..3.0)).collect();
        let mut first = None;
        for isa in Isa::all() {
            let mut pool = Pool::new(2, isa).unwrap();
            let matrix = Matrix::pack(&mut pool, format, &bytes, rows, columns).unwrap();
            let found = product(&mut pool, &matrix, &floats);
            let mut row = vec![0.0; columns];
            for output in 0..rows {
                matrix.row(output, &mut row);
                for at in 0..count {
                    let inputs = &floats[at * columns..][..columns];
                    let terms = || row.iter().zip(inputs).map(|(a, b)| f64::from(a * b));
                    let (exact, size) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
                    let apart = (f64::from(found[at * rows + output]) - exact).abs();
                    assert!(apart < 0.004 * size, "{format:?} {}: {apart} of {size}", isa.name());
                }
            }
            let bits: Vec<u32> = found.iter().map(|it| it.to_bits()).collect();
            assert_eq!(first.get_or_insert_with(|| bits.clone()), &bits, "{format:?} {}", isa.name());
        }
    }
}

/// Row by row what ggml's `dequantize_row_q4_1` and `vec_dot_q4_1_q8_1` say, with the activations as they were rounded.
#[test]
fn q4_1_is_multiplied_as_it_lies_in_the_file_with_its_minimum() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (rows, columns) = (19, 576);
    let bytes = weights(&mut random, Format::Q4One, rows, columns);
    let floats: Vec<f32> = (0..columns).map(|_| random.random_range(-3.0..3.0)).collect();
    let mut pool = Pool::new(1, Isa::detect()).unwrap();
    let matrix = Matrix::pack(&mut pool, Format::Q4One, &bytes, rows, columns).unwrap();
    assert!(matrix.bytes() <= bytes.len() * 2, "four bits stay four: {}", matrix.bytes());
    let mut activations = Activations::default();
    activations.fill(&mut pool, &matrix, 1, |_, out| out.copy_from_slice(&floats));
    let mut out = vec![0.0; rows];
    matmul(&mut pool, &activations, &mut [Output { matrix: &matrix, out: &mut out, add: false }]);
    let float = |bytes: &[u8]| f64::from(half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32());
    let mut row = vec![0.0; columns];
    for (output, blocks) in bytes.chunks(columns / 32 * 20).enumerate() {
        matrix.row(output, &mut row);
        let (mut sum, mut size) = (0.0, 0.0);
        for (small, block) in blocks.chunks(20).enumerate() {
            let (d, min) = (float(block), float(&block[2..]));
            let scale = f64::from(activations.scales[small]);
            for at in 0..32 {
                let byte = block[4 + at % 16];
                let weight = d * f64::from(if at < 16 { byte & 15 } else { byte >> 4 }) + min;
                let column = small * 32 + at;
                assert!((f64::from(row[column]) - weight).abs() < 1e-6, "{output} {column}");
                let term = weight * scale * f64::from(activations.quants[column]);
                (sum, size) = (sum + term, size + term.abs());
            }
        }
        let apart = (f64::from(out[output]) - sum).abs();
        assert!(apart < 1e-5 * size, "{output}: {apart} of {size}");
    }
}

#[test]
fn a_row_gives_in_a_batch_bit_for_bit_what_it_gives_alone() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut pool = Pool::new(2, Isa::detect()).unwrap();
    for format in FORMATS {
        let (rows, columns) = (48, 768);
        let bytes = weights(&mut random, format, rows, columns);
        let matrix = Matrix::pack(&mut pool, format, &bytes, rows, columns).unwrap();
        let floats: Vec<f32> = (0..15 * columns).map(|_| random.random_range(-2.0..2.0)).collect();
        let together = product(&mut pool, &matrix, &floats);
        for (at, alone) in floats.chunks(columns).enumerate() {
            assert_eq!(product(&mut pool, &matrix, alone), together[at * rows..][..rows], "{format:?}");
        }
    }
}

#[test]
fn single_outputs_are_those_of_the_whole_product() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut pool = Pool::new(2, Isa::detect()).unwrap();
    for format in FORMATS {
        let (rows, columns) = (35, 256);
        let bytes = weights(&mut random, format, rows, columns);
        let matrix = Matrix::pack(&mut pool, format, &bytes, rows, columns).unwrap();
        let floats: Vec<f32> = (0..3 * columns).map(|_| random.random_range(-2.0..2.0)).collect();
        let whole = product(&mut pool, &matrix, &floats);
        let prepare = |row: usize, out: &mut [f32]| out.copy_from_slice(&floats[row * columns..][..columns]);
        let mut scratch = Activations::default();
        let some = multiply_some(&mut pool, &mut scratch, 3, prepare, &matrix, &[34, 0, 17]);
        let expected: Vec<f32> =
            (0..3).flat_map(|row| [34, 0, 17].map(|it| whole[row * rows + it])).collect();
        assert_eq!(some, expected, "{format:?}");
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let mut pool = Pool::new(1, Isa::detect()).unwrap();
    let mut pack = |format, bytes: usize, rows, columns| {
        Matrix::pack(&mut pool, format, &vec![0; bytes], rows, columns).err().map(|error| error.to_string())
    };
    assert!(pack(Format::Q8Zero, 34, 1, 32).unwrap().contains("32 columns"));
    assert!(pack(Format::Q4K, 143, 1, 256).unwrap().contains("143 bytes"));
    assert!(pack(Format::Q4K, 0, usize::MAX, 256).is_some());
    assert!(pack(Format::Q6K, 210, 1, 256).is_none());
}
