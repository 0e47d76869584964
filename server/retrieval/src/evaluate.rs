//! Full ranking over all items, seen ones excluded, of each measured user's held-out item; no sampled metrics.

use crate::Result;
use crate::logs::{Logs, Split};
use crate::metrics::Truth;
use crate::model::{Model, UserInput};
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Users scored at a time.
const CHUNK: usize = 128;

/// Gives every item a score for a user.
pub trait Scorer {
    /// Appends the scores of all items for each of these users.
    ///
    /// # Errors
    /// Of arithmetic.
    fn scores(&self, users: &[usize], out: &mut Vec<f32>) -> Result<()>;
}

/// The best `k` items for each user that they have not met, best first; ties by number.
///
/// # Errors
/// The scorer's.
pub fn rank(scorer: &dyn Scorer, split: &Split, users: &[usize], k: usize) -> Result<Vec<Vec<(u32, f32)>>> {
    let mut lists = Vec::with_capacity(users.len());
    let mut scores = Vec::new();
    for chunk in users.chunks(CHUNK) {
        scores.clear();
        scorer.scores(chunk, &mut scores)?;
        let items = scores.len() / chunk.len();
        for (user, scores) in chunk.iter().zip(scores.chunks_exact(items)) {
            let seen: HashSet<u32> = split.train[*user].iter().map(|event| event.item).collect();
            lists.push(best(scores, k, &seen));
        }
    }
    Ok(lists)
}

/// The best `k` by score that are not left out.
fn best(scores: &[f32], k: usize, without: &HashSet<u32>) -> Vec<(u32, f32)> {
    let mut list: Vec<(u32, f32)> = Vec::with_capacity(k + 1);
    let mut least = f32::NEG_INFINITY;
    for (item, score) in (0_u32..).zip(scores) {
        // Items come by number: an equal score later never goes before.
        if list.len() == k && *score <= least || without.contains(&item) {
            continue;
        }
        let place = list.partition_point(|(_, other)| other >= score);
        list.insert(place, (item, *score));
        list.truncate(k);
        least = list.last().map_or(least, |(_, score)| *score);
    }
    list
}

/// What the lists of these users are measured against.
#[must_use]
pub fn truth(logs: &Logs, split: &Split, users: &[usize]) -> Truth {
    Truth {
        targets: users.iter().filter_map(|user| split.target[*user]).collect(),
        counts: split.counts(logs.items.len()),
        categories: logs.items.iter().map(|item| logs.classes(item)).collect(),
    }
}

/// At most `limit` measured users, drawn by seed, in order.
#[must_use]
pub fn sample_users(split: &Split, limit: Option<usize>, seed: u64) -> Vec<usize> {
    let mut users = split.measured();
    if let Some(limit) = limit.filter(|limit| *limit < users.len()) {
        users.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        users.truncate(limit);
        users.sort_unstable();
    }
    users
}

/// How tags become queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// One query: h = β·h_u + (1 − β)·(mean of the tags' h_t).
    Mean,
    /// A query a tag: h = β·h_u + (1 − β)·h_t; an item's score is its best one.
    Max,
}

/// How a trained model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fusion {
    /// β: weight of the user; 1 asks without tags.
    pub beta: f32,
    /// How tags become queries.
    pub scheme: Scheme,
    /// Tags asked, the latest first.
    pub tags: usize,
    /// Newest events that the user tower reads.
    pub window: usize,
}

/// A model's vectors for some logs, ready to be asked.
pub struct Vectors<'m> {
    model: &'m Model,
    logs: &'m Logs,
    split: &'m Split,
    /// h_v by item.
    pub items: Vec<f32>,
    titles: Vec<Option<Vec<f32>>>,
    matrix: Tensor,
}

impl<'m> Vectors<'m> {
    /// Computes them.
    ///
    /// # Errors
    /// Of arithmetic.
    pub fn new(model: &'m Model, logs: &'m Logs, split: &'m Split) -> Result<Self> {
        let items = model.items(&logs.items, &split.counts(logs.items.len()))?;
        let titles = if model.settings.tags {
            model.tags(&logs.items.iter().map(|item| item.title.as_str()).collect::<Vec<_>>())?
        } else {
            Vec::new()
        };
        let width = model.settings.width;
        let matrix =
            Tensor::from_slice(&items, (items.len() / width, width), &Device::Cpu)?.t()?.contiguous()?;
        Ok(Self { model, logs, split, items, titles, matrix })
    }

    /// A scorer with tags from each user's latest titles.
    #[must_use]
    pub fn with_titles(&'m self, fusion: Fusion) -> Asked<'m> {
        Asked { vectors: self, fusion, tags: None }
    }

    /// A scorer with other tags: a list of texts by user; one without any is asked by h_u alone.
    ///
    /// # Errors
    /// Of arithmetic.
    pub fn with_tags(&'m self, fusion: Fusion, tags: &[Vec<String>]) -> Result<Asked<'m>> {
        let encode = |tags: &Vec<String>| {
            let texts: Vec<&str> = tags.iter().map(String::as_str).collect();
            Ok(self.model.tags(&texts)?.into_iter().flatten().collect::<Vec<Vec<f32>>>())
        };
        let tags = tags.iter().map(encode).collect::<Result<Vec<_>>>()?;
        Ok(Asked { vectors: self, fusion, tags: Some(tags) })
    }

    /// The titles that stand for a user's tags: of the items met last, the newest first, each once.
    fn latest_titles(&self, user: usize, limit: usize) -> Vec<&[f32]> {
        let mut met = HashSet::new();
        let newest = self.split.train[user].iter().rev().filter(|event| met.insert(event.item));
        newest.filter_map(|event| self.titles[event.item as usize].as_deref()).take(limit).collect()
    }

    /// h_u of users.
    ///
    /// # Errors
    /// Of arithmetic.
    pub fn users(&self, users: &[usize], window: usize) -> Result<Vec<f32>> {
        let inputs: Vec<UserInput> = users
            .iter()
            .map(|user| {
                let events = &self.split.train[*user];
                UserInput {
                    user: u32::try_from(*user).ok(),
                    events: events[events.len().saturating_sub(window)..].to_vec(),
                }
            })
            .collect();
        self.model.users(&self.items, &inputs)
    }
}

/// Vectors with a way to ask them.
pub struct Asked<'v> {
    vectors: &'v Vectors<'v>,
    fusion: Fusion,
    tags: Option<Vec<Vec<Vec<f32>>>>,
}

impl Scorer for Asked<'_> {
    fn scores(&self, users: &[usize], out: &mut Vec<f32>) -> Result<()> {
        let vectors = self.vectors;
        let width = vectors.model.settings.width;
        let own = vectors.users(users, self.fusion.window)?;
        let (mut queries, mut counts) = (Vec::new(), Vec::new());
        for (user, h_u) in users.iter().zip(own.chunks_exact(width)) {
            let tags: Vec<&[f32]> = match &self.tags {
                _ if self.fusion.beta >= 1.0 || !vectors.model.settings.tags => Vec::new(),
                Some(tags) => tags[*user].iter().take(self.fusion.tags).map(Vec::as_slice).collect(),
                None => vectors.latest_titles(*user, self.fusion.tags),
            };
            let fused = fuse(h_u, &tags, self.fusion.beta, self.fusion.scheme);
            counts.push(fused.len());
            fused.iter().for_each(|query| queries.extend_from_slice(query));
        }
        let all = Tensor::from_vec(queries, (counts.iter().sum::<usize>(), width), &Device::Cpu)?;
        let scores = all.matmul(&vectors.matrix)?.flatten_all()?.to_vec1::<f32>()?;
        let items = vectors.logs.items.len();
        let mut rows = scores.chunks_exact(items);
        for count in counts {
            let from = out.len();
            out.extend_from_slice(rows.next().unwrap_or_default());
            for _ in 1..count {
                let row = rows.next().unwrap_or_default();
                out[from..].iter_mut().zip(row).for_each(|(best, score)| *best = best.max(*score));
            }
        }
        Ok(())
    }
}

/// The queries of a user: h = β·h_u + (1 − β)·h_t. Without tags h_u alone.
#[must_use]
pub fn fuse(user: &[f32], tags: &[&[f32]], beta: f32, scheme: Scheme) -> Vec<Vec<f32>> {
    if tags.is_empty() {
        return vec![user.to_vec()];
    }
    let with =
        |tag: &[f32]| user.iter().zip(tag).map(|(u, t)| beta * u + (1.0 - beta) * t).collect::<Vec<f32>>();
    match scheme {
        Scheme::Max => tags.iter().map(|tag| with(tag)).collect(),
        Scheme::Mean => {
            let n = tags.len() as f32;
            let mean: Vec<f32> =
                (0..user.len()).map(|at| tags.iter().map(|tag| tag[at]).sum::<f32>() / n).collect();
            vec![with(&mean)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_in_order_without_what_was_seen_and_ties_by_number() {
        let list = best(&[0.5, 0.9, 0.5, 0.1, 0.9], 3, &HashSet::from([1]));
        assert_eq!(list.iter().map(|(item, _)| *item).collect::<Vec<_>>(), [4, 0, 2]);
    }

    #[test]
    fn fused_queries_by_hand() {
        let tags: [&[f32]; 2] = [&[1.0, 0.0], &[0.0, 1.0]];
        assert_eq!(fuse(&[1.0, 1.0], &tags, 0.5, Scheme::Mean), [[0.75, 0.75]]);
        assert_eq!(fuse(&[1.0, 1.0], &tags, 0.5, Scheme::Max), [[1.0, 0.5], [0.5, 1.0]]);
        assert_eq!(fuse(&[1.0, 1.0], &[], 0.5, Scheme::Max), [[1.0, 1.0]]);
    }
}
