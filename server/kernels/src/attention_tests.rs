use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::isa::Isa;

struct World {
    blocks: Vec<KvBlock>,
    keys: Vec<f32>,
    values: Vec<f32>,
    table: Vec<u32>,
    heads: usize,
    width: usize,
}

/// One sequence in blocks that lie in no order.
fn world(length: usize, heads: usize, width: usize) -> World {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut floats = |count: usize| -> Vec<f32> {
        (0..count).map(|_| f16::from_f32(random.random_range(-1.0..1.0)).to_f32()).collect()
    };
    let (keys, values) = (floats(length * heads * width), floats(length * heads * width));
    let table: Vec<u32> = (0..length.div_ceil(BLOCK) as u32).rev().collect();
    let mut blocks = vec![KvBlock::new(2, heads, width); table.len()];
    for position in 0..length {
        let row = |all: &[f32]| all[position * heads * width..][..heads * width].to_vec();
        let block = &mut blocks[table[position / BLOCK] as usize];
        block.write(1, position % BLOCK, &row(&keys), &row(&values));
    }
    World { blocks, keys, values, table, heads, width }
}

impl World {
    fn exact(&self, seen: usize, head: usize, query: &[f32]) -> Vec<f64> {
        let at = |all: &[f32], position: usize| {
            all[(position * self.heads + head) * self.width..][..self.width].to_vec()
        };
        let score = |position| -> f64 {
            at(&self.keys, position).iter().zip(query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let weights: Vec<f64> = (0..seen).map(|position| score(position).exp()).collect();
        let sum: f64 = weights.iter().sum();
        (0..self.width)
            .map(|coordinate| {
                let value = |position| f64::from(at(&self.values, position)[coordinate]);
                weights.iter().enumerate().map(|(position, it)| it * value(position)).sum::<f64>() / sum
            })
            .collect()
    }
}

#[test]
fn attention_is_the_mean_that_the_formula_says_on_every_instruction_set() {
    for (group, width) in [(1, 16), (2, 64), (3, 48), (6, 128), (7, 64)] {
        let world = world(77, 2, width);
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let seen = [1, 31, 32, 33, 77];
        let size = 2 * group * width;
        let queries: Vec<f32> = (0..seen.len() * size).map(|_| random.random_range(-0.5..0.5)).collect();
        let rows = seen.map(|seen| Query { table: &world.table, seen });
        let mut first = None;
        for isa in Isa::all() {
            let mut out = vec![0.0; queries.len()];
            attend(&mut Pool::new(2, isa).unwrap(), &world.blocks, 1, &rows, &queries, &mut out);
            for (at, seen) in seen.iter().enumerate() {
                for head in 0..2 * group {
                    let place = at * size + head * width;
                    let exact = world.exact(*seen, head / group, &queries[place..][..width]);
                    for (found, exact) in out[place..].iter().zip(exact) {
                        assert!((f64::from(*found) - exact).abs() < 1e-5, "{}: {found} {exact}", isa.name());
                    }
                }
            }
            let bits: Vec<u32> = out.iter().map(|it| it.to_bits()).collect();
            assert_eq!(first.get_or_insert_with(|| bits.clone()), &bits, "{}", isa.name());
        }
    }
}

#[test]
fn a_query_gives_in_a_batch_bit_for_bit_what_it_gives_alone() {
    let world = world(70, 2, 32);
    let mut pool = Pool::new(2, Isa::detect()).unwrap();
    let size = 2 * 3 * 32;
    let queries: Vec<f32> = (0..70 * size).map(|at| (at as f32 * 0.37).sin()).collect();
    let rows: Vec<Query<'_>> = (1..=70).map(|seen| Query { table: &world.table, seen }).collect();
    let mut together = vec![0.0; queries.len()];
    attend(&mut pool, &world.blocks, 1, &rows, &queries, &mut together);
    for at in 0..70 {
        let mut alone = vec![0.0; size];
        attend(&mut pool, &world.blocks, 1, &rows[at..=at], &queries[at * size..][..size], &mut alone);
        assert_eq!(alone, together[at * size..][..size]);
    }
}
