//! Training: batches by seed, Adam, checkpoints. What a step does depends on the seed and its number alone, so that a
//! run that was killed and resumed ends with the same bits as one that was not.

use crate::features::ItemCodes;
use crate::logs::{Event, Logs, Split};
use crate::losses::{Losses, Sampled, contrast};
use crate::model::{Model, by_kind, item_tower, layout, tag_tower, user_tower};
use crate::towers::{Pass, Settings};
use crate::{Result, RetrievalError};
use candle_core::{DType, Device, Tensor};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

/// How far training is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Loss of this step.
    pub loss: f64,
    /// Whether a pass over the users ends with it.
    pub epoch_ends: bool,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// On.
    Go,
    /// Store a checkpoint and stop.
    Stop,
}

/// What a batch is drawn from.
pub struct Trainer<'l> {
    logs: &'l Logs,
    split: &'l Split,
    codes: Vec<ItemCodes>,
    words: Vec<Vec<u32>>,
    seen: Vec<HashSet<u32>>,
    of_category: HashMap<u32, Vec<u32>>,
    /// Running sums of the negatives' weights, and each one's logarithm of how often a batch draws it.
    sums: Vec<f64>,
    drawn: Vec<f64>,
    settings: Settings,
}

/// One example: a user, and the place of the item in their events that the others lead to.
type Example = (usize, usize);

impl<'l> Trainer<'l> {
    /// Over the part of the logs that is learned from.
    ///
    /// # Errors
    /// A setting out of range; nothing to learn from.
    pub fn new(logs: &'l Logs, split: &'l Split, settings: Settings) -> Result<(Self, Model)> {
        let counts = split.counts(logs.items.len());
        let model = Model::new(settings, layout(logs, &counts))?;
        Ok((Self::with(logs, split, &model)?, model))
    }

    /// For a model that is there.
    ///
    /// # Errors
    /// When the logs are not those of the model, or there is nothing to learn from.
    pub fn with(logs: &'l Logs, split: &'l Split, model: &Model) -> Result<Self> {
        let counts = split.counts(logs.items.len());
        if model.layout != layout(logs, &counts) {
            return Err(RetrievalError::Checkpoint(
                "it was made from other logs: remove it to begin anew".into(),
            ));
        }
        let codes = &model.layout.codes;
        let items: Vec<ItemCodes> =
            logs.items.iter().zip(&counts).map(|(item, n)| codes.item(item, *n)).collect();
        let mut of_category: HashMap<u32, Vec<u32>> = HashMap::new();
        for (number, item) in (0..).zip(&items) {
            for category in &item.categories {
                of_category.entry(*category).or_default().push(number);
            }
        }
        let weights: Vec<f64> =
            counts.iter().map(|count| (f64::from(*count) + 1.0).powf(model.settings.popularity)).collect();
        let all: f64 = weights.iter().sum();
        let times = model.settings.negatives as f64;
        let trainer = Self {
            logs,
            split,
            words: logs.items.iter().map(|item| codes.tag(&item.title)).collect(),
            codes: items,
            seen: split.train.iter().map(|events| events.iter().map(|event| event.item).collect()).collect(),
            of_category,
            drawn: weights.iter().map(|weight| (times * weight / all).ln()).collect(),
            sums: weights
                .iter()
                .scan(0.0, |sum, weight| {
                    *sum += weight;
                    Some(*sum)
                })
                .collect(),
            settings: model.settings,
        };
        if trainer.examples(0).is_empty() {
            return Err(RetrievalError::Empty("no user has two items to learn from".into()));
        }
        Ok(trainer)
    }

    /// Trains from where the model is to the end of its epochs, storing a checkpoint every `every` steps and when
    /// told to stop.
    ///
    /// # Errors
    /// [`RetrievalError`]; [`RetrievalError::Stopped`] when told to.
    pub fn run(
        &self,
        model: &mut Model,
        checkpoint: Option<(&Path, u64)>,
        tell: &mut dyn FnMut(Progress, &Model) -> Result<Flow>,
    ) -> Result<()> {
        let (a_pass, steps) = self.steps();
        let mut examples: (u64, Vec<Example>) = (u64::MAX, Vec::new());
        while model.steps() < steps {
            let (epoch, place) = (model.steps() / a_pass, model.steps() % a_pass);
            if examples.0 != epoch {
                examples = (epoch, self.examples(epoch));
            }
            let from = usize::try_from(place).unwrap_or(0) * self.settings.batch;
            let batch = &examples.1[from..(from + self.settings.batch).min(examples.1.len())];
            let loss = self.step(model, batch)?;
            let step = model.steps();
            let epoch_ends = step.is_multiple_of(a_pass);
            let flow = tell(Progress { step, steps, loss, epoch_ends }, model)?;
            if let Some((path, every)) = checkpoint
                && (flow == Flow::Stop || step == steps || step.is_multiple_of(every.max(1)))
            {
                save(path, model)?;
            }
            if flow == Flow::Stop && step < steps {
                return Err(RetrievalError::Stopped(step));
            }
        }
        Ok(())
    }

    /// Steps of a pass, and in all.
    fn steps(&self) -> (u64, u64) {
        let batches = self.examples(0).len().div_ceil(self.settings.batch) as u64;
        (batches, batches * self.settings.epochs as u64)
    }

    /// The examples of a pass in their order: of each user at most so many, drawn anew.
    fn examples(&self, epoch: u64) -> Vec<Example> {
        let mut rng = rng(self.settings.seed, "epoch", epoch);
        let mut all = Vec::new();
        for (user, events) in self.split.train.iter().enumerate() {
            let mut places: Vec<usize> = (1..events.len()).collect();
            if places.len() > self.settings.per_user {
                places.partial_shuffle(&mut rng, self.settings.per_user);
                // The shuffled ones stand at the end.
                places.drain(..places.len() - self.settings.per_user);
            }
            all.extend(places.into_iter().map(|place| (user, place)));
        }
        all.shuffle(&mut rng);
        all
    }

    fn step(&self, model: &mut Model, batch: &[Example]) -> Result<f64> {
        let mut rng = rng(self.settings.seed, "step", model.steps());
        let mut pass = Pass::new(&model.params, DType::F32);
        let losses = self.losses(&mut pass, batch, &mut rng)?;
        let total = losses.total(self.settings.alpha)?;
        let value = f64::from(total.to_scalar::<f32>()?);
        if !value.is_finite() {
            return Err(RetrievalError::NotFinite(model.steps()));
        }
        let grads = total.backward()?;
        let leaves = std::mem::take(&mut pass.leaves);
        model.params.step(&leaves, &grads, self.settings.rate, self.settings.decay)?;
        Ok(value)
    }

    /// The losses of a batch: what it meets of items goes through the item tower once.
    pub(crate) fn losses(
        &self,
        pass: &mut Pass<'_>,
        batch: &[Example],
        rng: &mut ChaCha8Rng,
    ) -> Result<Losses> {
        let targets: Vec<u32> = batch.iter().map(|(user, at)| self.split.train[*user][*at].item).collect();
        let histories: Vec<&[Event]> = batch.iter().map(|(user, at)| self.history(*user, *at)).collect();
        let negatives: Vec<u32> = (0..self.settings.negatives).map(|_| self.draw(rng)).collect();
        let twins = if self.settings.tags { self.twins(&targets, rng) } else { Vec::new() };
        let met: BTreeSet<u32> = targets
            .iter()
            .chain(&negatives)
            .chain(twins.iter().map(|(_, twin)| twin))
            .copied()
            .chain(histories.iter().flat_map(|events| events.iter().map(|event| event.item)))
            .collect();
        let met: Vec<u32> = met.into_iter().collect();
        let places: HashMap<u32, u32> = (0..).zip(&met).map(|(place, item)| (*item, place)).collect();
        let codes: Vec<&ItemCodes> = met.iter().map(|item| &self.codes[*item as usize]).collect();
        let items = item_tower(pass, &met, &codes)?;
        let rows = |wanted: &[u32]| {
            let at: Vec<u32> = wanted.iter().map(|item| places[item]).collect();
            items.index_select(&Tensor::from_slice(&at, at.len(), &Device::Cpu)?, 0)
        };
        let sampled = |masked: &dyn Fn(usize, u32) -> bool, positives: &[u32]| Sampled {
            masked: (0..positives.len())
                .flat_map(|row| negatives.iter().map(move |item| (row, *item)))
                .map(|(row, item)| masked(row, item))
                .collect(),
            positive: positives.iter().map(|item| self.drawn[*item as usize]).collect(),
            negative: negatives.iter().map(|item| self.drawn[*item as usize]).collect(),
        };
        let (hard, pool) = (rows(&negatives)?, rows(&targets)?);
        let named = |user: usize, rng: &mut ChaCha8Rng| {
            let anonymous = rng.random_bool(self.settings.anonymous);
            u32::try_from(user).ok().filter(|_| !anonymous).into_iter().collect()
        };
        let ids: Vec<Vec<u32>> = batch.iter().map(|(user, _)| named(*user, rng)).collect();
        let kinds =
            by_kind(histories.iter().copied(), self.logs.kinds.len(), &|item| places.get(&item).copied());
        let users = user_tower(pass, &ids, &items, &kinds)?;
        let temperature = self.settings.temperature;
        let unclicked = sampled(&|row, item| self.seen[batch[row].0].contains(&item), &targets);
        let mut losses =
            Losses { col: contrast(&users, &pool, &hard, &unclicked, temperature)?, tag: None, cate: None };
        if !self.settings.tags {
            return Ok(losses);
        }
        let worded: Vec<u32> =
            targets.iter().copied().filter(|item| !self.words[*item as usize].is_empty()).collect();
        if !worded.is_empty() {
            let words: Vec<Vec<u32>> = worded.iter().map(|item| self.words[*item as usize].clone()).collect();
            let tags = tag_tower(pass, &words)?;
            // Another item of the very same title is no negative of that title.
            let same = |row: usize, item: u32| self.words[worded[row] as usize] == self.words[item as usize];
            losses.tag =
                Some(contrast(&tags, &rows(&worded)?, &hard, &sampled(&same, &worded), temperature)?);
        }
        if !twins.is_empty() {
            let (anchors, others): (Vec<u32>, Vec<u32>) = twins.into_iter().unzip();
            let shared = |row: usize, item: u32| self.share_category(anchors[row], item);
            let sampled = sampled(&shared, &others);
            losses.cate = Some(contrast(&rows(&anchors)?, &rows(&others)?, &hard, &sampled, temperature)?);
        }
        Ok(losses)
    }

    /// For each item with a category that others have too: one of those.
    fn twins(&self, items: &[u32], rng: &mut ChaCha8Rng) -> Vec<(u32, u32)> {
        let mut twins = Vec::new();
        for item in items {
            let categories = &self.codes[*item as usize].categories;
            if categories.is_empty() {
                continue;
            }
            let all = &self.of_category[&categories[rng.random_range(0..categories.len())]];
            let twin = all[rng.random_range(0..all.len())];
            if twin != *item {
                twins.push((*item, twin));
            }
        }
        twins
    }

    fn share_category(&self, a: u32, b: u32) -> bool {
        let b = &self.codes[b as usize].categories;
        self.codes[a as usize].categories.iter().any(|category| b.contains(category))
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        let at = rng.random_range(0.0..self.sums.last().copied().unwrap_or(1.0));
        let place = self.sums.partition_point(|sum| *sum <= at).min(self.sums.len() - 1);
        u32::try_from(place).unwrap_or(0)
    }

    fn history(&self, user: usize, before: usize) -> &[Event] {
        &self.split.train[user][before.saturating_sub(self.settings.history)..before]
    }
}

fn rng(seed: u64, what: &str, number: u64) -> ChaCha8Rng {
    let hash = Sha256::digest(format!("{seed} {what} {number}"));
    ChaCha8Rng::from_seed(hash.into())
}

/// Stores a checkpoint in one move: a kill leaves the old one or the new one.
///
/// # Errors
/// The file system's.
pub fn save(path: &Path, model: &Model) -> Result<()> {
    let failed =
        |why: std::io::Error| RetrievalError::File { path: path.display().to_string(), why: why.to_string() };
    let beside = path.with_extension("part");
    std::fs::write(&beside, model.to_bytes(true)?).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}

/// The checkpoint at this place, if there is one of these settings. More epochs than it was begun with go on.
///
/// # Errors
/// When it is damaged or of other settings.
pub fn resume(path: &Path, settings: Settings) -> Result<Option<Model>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(why) => {
            return Err(RetrievalError::File { path: path.display().to_string(), why: why.to_string() });
        }
    };
    let mut model = Model::from_bytes(&bytes)?;
    if (Settings { epochs: settings.epochs, ..model.settings }) != settings {
        return Err(RetrievalError::Checkpoint(
            "it was made with other settings: remove it to begin anew".into(),
        ));
    }
    model.settings = settings;
    Ok(Some(model))
}

#[cfg(test)]
#[path = "train_tests.rs"]
mod tests;
