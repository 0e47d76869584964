//! A run: packs in an order that seed and epoch decide, steps, checkpoints. Killed at any moment it goes on from its
//! last checkpoint and ends with the same bits as one that was never stopped.

use crate::adapter::{Adapter, read, write};
use crate::below::Below;
use crate::data::{Example, Packed};
use crate::frozen::Frozen;
use crate::optimiser::{AdamW, Settings};
use crate::{Result, TrainError, io};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

const STATE: &str = "checkpoint.safetensors";
const PLACE: &str = "checkpoint.json";

/// A run in its folder.
pub struct Run<'a> {
    model: &'a Frozen,
    adapter: &'a Adapter,
    settings: Settings,
    folder: PathBuf,
    /// Steps between checkpoints; 0: none.
    every: usize,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Mean loss of a learnt token in this step.
    pub loss: f64,
    /// Learning rate of this step.
    pub rate: f64,
    /// Tokens read a second, since the run was started or went on.
    pub tokens_per_second: f64,
    /// Seconds left at that speed.
    pub seconds_left: f64,
    /// A checkpoint has been written at this step: what is known of the run elsewhere may be brought up to it.
    pub kept: bool,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Mean loss of a learnt token, a step each, since the beginning.
    pub losses: Vec<f64>,
}

/// What a checkpoint is of, and how far it is. The hash is of settings and data: another run's is refused.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    of: String,
    step: usize,
    state_sha256: String,
    /// As bits: a number that goes through text and back may be another one.
    losses: Vec<u64>,
}

impl<'a> Run<'a> {
    /// A run that keeps its checkpoints in `folder`, every so many steps.
    #[must_use]
    pub fn new(
        model: &'a Frozen,
        adapter: &'a Adapter,
        settings: Settings,
        folder: &Path,
        every: usize,
    ) -> Self {
        Self { model, adapter, settings, folder: folder.to_owned(), every }
    }

    /// Learns the examples, from the last checkpoint if there is one. `say` hears of every step and may stop the run
    /// by giving `false`; it goes on from its last checkpoint then.
    ///
    /// # Errors
    /// [`TrainError::NoGradient`], [`TrainError::Diverged`], the data's and the disk's.
    pub fn train(&self, examples: &[Example], mut say: impl FnMut(Progress) -> bool) -> Result<Trained> {
        self.tell(examples, |progress, _| say(progress))
    }

    /// The same; `say` hears the losses of all steps so far too, those before a stop included.
    ///
    /// # Errors
    /// As [`Run::train`].
    pub fn tell(
        &self,
        examples: &[Example],
        mut say: impl FnMut(Progress, &[f64]) -> bool,
    ) -> Result<Trained> {
        fs::create_dir_all(&self.folder).map_err(io(&self.folder))?;
        let optimiser = AdamW::new(self.adapter.variables())?;
        let of = self.fingerprint(examples)?;
        let (mut step, mut losses) = self.resume(&optimiser, &of)?;
        let below = Below::new(self.model, self.adapter, examples);
        let began = Instant::now();
        let mut tokens = 0_usize;
        let steps = self.settings.schedule.steps;
        let from = step;
        while step < steps {
            let packs = self.packs(examples, step)?;
            let (loss, gradients) = self.gradients(&optimiser, &packs, &below)?;
            if !loss.is_finite() {
                return Err(TrainError::Diverged { step, loss });
            }
            optimiser.step(step, &gradients, &self.settings)?;
            losses.push(loss);
            tokens += packs.iter().map(|it| it.tokens.len()).sum::<usize>();
            step += 1;
            let kept = self.every > 0 && (step.is_multiple_of(self.every) || step == steps);
            if kept {
                self.keep(
                    &optimiser,
                    &Place {
                        of: of.clone(),
                        step,
                        state_sha256: String::new(),
                        losses: losses.iter().map(|it| it.to_bits()).collect(),
                    },
                )?;
            }
            let seconds = began.elapsed().as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "numbers of steps and tokens")]
            let progress = Progress {
                step,
                steps,
                loss,
                rate: self.settings.schedule.at(step - 1),
                tokens_per_second: tokens as f64 / seconds,
                seconds_left: seconds / (step - from) as f64 * (steps - step) as f64,
                kept,
            };
            if !say(progress, &losses) {
                break;
            }
        }
        Ok(Trained { losses })
    }

    /// The packs of a step: epochs follow each other, each in its own order.
    fn packs(&self, examples: &[Example], step: usize) -> Result<Vec<Packed>> {
        let each = self.settings.accumulate.max(1);
        let mut at = step * each;
        let mut chosen = Vec::with_capacity(each);
        let mut epoch = 0;
        loop {
            let packs = self.settings.packs(examples, epoch)?;
            if at >= packs.len() {
                at -= packs.len();
                epoch += 1;
                continue;
            }
            for it in packs.into_iter().skip(at) {
                chosen.push(it);
                if chosen.len() == each {
                    return Ok(chosen);
                }
            }
            at = 0;
            epoch += 1;
        }
    }

    /// The mean loss of a learnt token, and its gradient for every variable.
    fn gradients(
        &self,
        optimiser: &AdamW,
        packs: &[Packed],
        below: &Below<'_>,
    ) -> Result<(f64, Vec<Tensor>)> {
        #[expect(clippy::cast_precision_loss, reason = "a number of tokens")]
        let learnt = packs.iter().map(Packed::learnt).sum::<usize>() as f64;
        let mut sums: Vec<Option<Tensor>> = vec![None; optimiser.variables().len()];
        let mut loss = 0.0;
        for pack in packs {
            // Tokens weigh the same in whichever pack they stand.
            let (share, found) = self.model.gradients(self.adapter, pack, below, learnt)?;
            loss += share;
            for (gradient, sum) in found.into_iter().zip(&mut sums) {
                *sum = Some(match sum.take() {
                    Some(sum) => (sum + gradient)?,
                    None => gradient,
                });
            }
        }
        Ok((loss, sums.into_iter().flatten().collect()))
    }

    fn fingerprint(&self, examples: &[Example]) -> Result<String> {
        let mut hash = Sha256::new();
        let kept = self.model.kept.as_str();
        let settings = serde_json::to_vec(&(&self.settings, &self.adapter.config, kept));
        hash.update(settings.map_err(|error| TrainError::File(error.to_string()))?);
        for example in examples {
            hash.update((example.answer as u64).to_le_bytes());
            hash.update((example.tokens.len() as u64).to_le_bytes());
            example.tokens.iter().for_each(|token| hash.update(token.to_le_bytes()));
        }
        Ok(hex(hash))
    }

    fn keep(&self, optimiser: &AdamW, place: &Place) -> Result<()> {
        let state = optimiser.state().into_iter().map(|(name, var)| (name, var.as_tensor().clone()));
        let path = self.folder.join(format!("{}-{STATE}", place.step));
        write(&path, &state.collect::<Vec<_>>())?;
        let bytes = fs::read(&path).map_err(io(&path))?;
        let place = Place {
            of: place.of.clone(),
            step: place.step,
            state_sha256: hex(Sha256::new_with_prefix(bytes)),
            losses: place.losses.clone(),
        };
        let text = serde_json::to_vec(&place).map_err(|error| TrainError::File(error.to_string()))?;
        let (partial, named) = (self.folder.join("checkpoint.partial"), self.folder.join(PLACE));
        fs::write(&partial, text).map_err(io(&partial))?;
        fs::rename(&partial, &named).map_err(io(&named))?;
        // The one before is no longer named.
        let old = place.step.checked_sub(self.every).map(|step| self.folder.join(format!("{step}-{STATE}")));
        if let Some(old) = old.filter(|old| old.exists()) {
            fs::remove_file(&old).map_err(io(&old))?;
        }
        Ok(())
    }

    fn resume(&self, optimiser: &AdamW, of: &str) -> Result<(usize, Vec<f64>)> {
        let path = self.folder.join(PLACE);
        if !path.exists() {
            return Ok((0, Vec::new()));
        }
        let wrong = |why: &str| TrainError::File(format!("{}: {why}", path.display()));
        let text = fs::read(&path).map_err(io(&path))?;
        let place: Place = serde_json::from_slice(&text).map_err(|error| wrong(&error.to_string()))?;
        if place.of != of {
            return Err(wrong("is of another run: other data or settings; take another folder"));
        }
        let state = self.folder.join(format!("{}-{STATE}", place.step));
        let bytes = fs::read(&state).map_err(io(&state))?;
        if hex(Sha256::new_with_prefix(bytes)) != place.state_sha256 {
            return Err(wrong("its state has changed since it was written"));
        }
        optimiser.restore(&read(&state)?)?;
        Ok((place.step, place.losses.into_iter().map(f64::from_bits).collect()))
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
