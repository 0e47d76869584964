//! Examples into packs: several in one row of tokens, none of which sees another.

use crate::{Result, TrainError};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Tokens, and which of them are to be learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// The first token of the answer: only from there on is anything learnt.
    pub answer: usize,
}

/// Examples one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Places within their example.
    pub positions: Vec<u32>,
    /// Which example each token is of.
    pub segments: Vec<u32>,
    /// What is to be said next, where that is learnt.
    pub targets: Vec<Option<u32>>,
    /// The places of its examples among all.
    pub of: Vec<usize>,
}

impl Packed {
    pub(crate) fn push(&mut self, at: usize, example: &Example) {
        self.of.push(at);
        let segment = self.segments.last().map_or(0, |last| last + 1);
        for (place, token) in example.tokens.iter().enumerate() {
            self.tokens.push(*token);
            self.positions.push(u32::try_from(place).unwrap_or(u32::MAX));
            self.segments.push(segment);
            let next = place + 1;
            self.targets.push(example.tokens.get(next).copied().filter(|_| next >= example.answer));
        }
    }

    /// Tokens that are learnt.
    #[must_use]
    pub fn learnt(&self) -> usize {
        self.targets.iter().flatten().count()
    }

    /// 0 where a place may look, else far below: to what comes before it in its own example.
    pub(crate) fn mask(&self) -> Vec<f32> {
        let n = self.tokens.len();
        let sees = |from: usize, to: usize| to <= from && self.segments[from] == self.segments[to];
        (0..n * n).map(|at| if sees(at / n, at % n) { 0.0 } else { -1e9 }).collect()
    }
}

/// Packs of at most `length` tokens, in an order that the seed decides; longer examples are refused.
///
/// # Errors
/// [`TrainError::Data`] if there is nothing to learn or an example does not fit.
pub fn pack(examples: &[Example], length: usize, seed: u64) -> Result<Vec<Packed>> {
    let mut order: Vec<(usize, &Example)> = examples.iter().enumerate().collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    packs(order, length)
}

/// The same in the order of the examples: a curriculum's.
///
/// # Errors
/// As [`pack`].
pub fn pack_in_order(examples: &[Example], length: usize) -> Result<Vec<Packed>> {
    packs(examples.iter().enumerate().collect(), length)
}

fn packs(order: Vec<(usize, &Example)>, length: usize) -> Result<Vec<Packed>> {
    let mut packs = vec![Packed::default()];
    for (at, example) in order {
        if example.tokens.len() > length {
            return Err(TrainError::Data(format!(
                "an example has {} tokens, and {length} fit",
                example.tokens.len()
            )));
        }
        if packs.last().is_some_and(|last| last.tokens.len() + example.tokens.len() > length) {
            packs.push(Packed::default());
        }
        if let Some(last) = packs.last_mut() {
            last.push(at, example);
        }
    }
    packs.retain(|it| it.learnt() > 0);
    if packs.is_empty() { Err(TrainError::Data("there is nothing to learn".into())) } else { Ok(packs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_sees_itself_alone_and_only_its_answer_is_learnt() {
        let of = |tokens: &[u32], answer| Example { tokens: tokens.to_vec(), answer };
        let examples = [of(&[1, 2, 3], 2), of(&[4, 5], 1), of(&[6, 7, 8, 9], 2)];
        let packs = pack(&examples, 5, 3).unwrap();
        assert_eq!(packs, pack(&examples, 5, 3).unwrap(), "the seed decides the order");
        assert_eq!(packs.iter().map(|it| it.tokens.len()).sum::<usize>(), 9);
        assert_eq!(packs.iter().map(Packed::learnt).sum::<usize>(), 1 + 1 + 2);
        let in_order: Vec<usize> =
            pack_in_order(&examples, 5).unwrap().into_iter().flat_map(|it| it.of).collect();
        assert_eq!(in_order, [0, 1, 2]);
        let two = packs.iter().find(|it| it.segments.last() == Some(&1)).expect("two in one");
        let n = two.tokens.len();
        for (at, value) in two.mask().into_iter().enumerate() {
            let (from, to) = (at / n, at % n);
            assert_eq!(value == 0.0, to <= from && two.segments[from] == two.segments[to]);
        }
        let second = two.segments.iter().position(|it| *it == 1).unwrap();
        assert_eq!(
            (two.positions[second], two.targets[second - 1]),
            (0, None),
            "an example never leads to the next"
        );
        assert!(pack(&examples, 3, 3).is_err() && pack(&[], 3, 3).is_err());
    }
}
