//! What the towers are measured against: popularity, and item-kNN.

use crate::Result;
use crate::evaluate::Scorer;
use crate::logs::{Event, Split};
use serde::{Deserialize, Serialize};

/// The most popular items for everybody.
pub struct Popularity {
    scores: Vec<f32>,
}

impl Popularity {
    /// From what is learned from.
    #[must_use]
    pub fn new(split: &Split, items: usize) -> Self {
        let scores = split.counts(items).into_iter().map(|count| count as f32).collect();
        Self { scores }
    }
}

impl Scorer for Popularity {
    fn scores(&self, users: &[usize], out: &mut Vec<f32>) -> Result<()> {
        users.iter().for_each(|_| out.extend_from_slice(&self.scores));
        Ok(())
    }
}

/// How item-kNN is set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KnnSettings {
    /// Neighbours of an item that count.
    pub neighbours: usize,
    /// Added to the cosine's denominator: what few people share counts less.
    pub shrink: f32,
    /// Newest items of the user that are asked for neighbours.
    pub window: usize,
}

/// Each item's nearest others by the cosine of who met them; most neighbours first.
pub struct Neighbours {
    of: Vec<Vec<(u32, f32)>>,
}

impl Neighbours {
    /// At most `limit` an item.
    #[must_use]
    pub fn new(split: &Split, items: usize, shrink: f32, limit: usize) -> Self {
        let mut users_of: Vec<Vec<usize>> = vec![Vec::new(); items];
        let sets: Vec<Vec<u32>> = split.train.iter().map(|events| distinct(events)).collect();
        for (user, set) in sets.iter().enumerate() {
            set.iter().for_each(|item| users_of[*item as usize].push(user));
        }
        let mut together = vec![0_u32; items];
        let mut of = Vec::with_capacity(items);
        for (item, users) in users_of.iter().enumerate() {
            let mut met: Vec<u32> = Vec::new();
            for other in users.iter().flat_map(|user| &sets[*user]) {
                if together[*other as usize] == 0 {
                    met.push(*other);
                }
                together[*other as usize] += 1;
            }
            let near = |other: u32| {
                let sizes = (users.len() as f32 * users_of[other as usize].len() as f32).sqrt();
                together[other as usize] as f32 / (sizes + shrink)
            };
            let mut row: Vec<(u32, f32)> = met
                .iter()
                .filter(|other| **other as usize != item)
                .map(|other| (*other, near(*other)))
                .collect();
            row.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            row.truncate(limit);
            of.push(row);
            met.iter().for_each(|other| together[*other as usize] = 0);
        }
        Self { of }
    }
}

fn distinct(events: &[Event]) -> Vec<u32> {
    let mut items: Vec<u32> = events.iter().map(|event| event.item).collect();
    items.sort_unstable();
    items.dedup();
    items
}

/// Items near to those a user met last.
pub struct ItemKnn<'n> {
    /// Neighbours with this shrinkage.
    pub neighbours: &'n Neighbours,
    /// How it is set.
    pub settings: KnnSettings,
    /// What each user did.
    pub split: &'n Split,
}

impl Scorer for ItemKnn<'_> {
    fn scores(&self, users: &[usize], out: &mut Vec<f32>) -> Result<()> {
        let items = self.neighbours.of.len();
        for user in users {
            let from = out.len();
            out.resize(from + items, 0.0);
            let events = &self.split.train[*user];
            let recent = &events[events.len().saturating_sub(self.settings.window)..];
            for item in distinct(recent) {
                for (other, near) in self.neighbours.of[item as usize].iter().take(self.settings.neighbours) {
                    out[from + *other as usize] += near;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(sequences: &[&[u32]]) -> Split {
        let events = |items: &&[u32]| items.iter().map(|item| Event { item: *item, kind: 0 }).collect();
        Split { train: sequences.iter().map(events).collect(), ..Split::default() }
    }

    #[test]
    fn neighbours_by_hand() {
        let split = split(&[&[0, 1], &[0, 1, 2], &[0, 3]]);
        let found = Neighbours::new(&split, 4, 0.0, 10);
        let cosine = |a: f32, b: f32, both: f32| both / (a * b).sqrt();
        assert_eq!(
            found.of[0],
            [(1, cosine(3.0, 2.0, 2.0)), (2, cosine(3.0, 1.0, 1.0)), (3, cosine(3.0, 1.0, 1.0))]
        );
        let settings = KnnSettings { neighbours: 1, shrink: 0.0, window: 1 };
        let mut scores = Vec::new();
        ItemKnn { neighbours: &found, settings, split: &split }
            .scores(&[2], &mut scores)
            .expect("no tensors");
        assert!(scores[0] > 0.0 && scores[1] == 0.0, "item 3 was met last, and item 0 is its only neighbour");
    }
}
