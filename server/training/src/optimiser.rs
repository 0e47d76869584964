//! AdamW (Loshchilov and Hutter 2019) with a warm-up and a cosine, on gradients summed over several packs.

use crate::adapter::set;
use crate::data::{Example, Packed, pack, pack_in_order};
use crate::{Result, TrainError};
use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the learning rate goes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The highest learning rate.
    pub rate: f64,
    /// Steps until it is reached.
    pub warm_up: usize,
    /// Steps in all; at the last the rate is a tenth.
    pub steps: usize,
}

impl Schedule {
    /// The rate of a step, the first being 0.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warm_up {
            return self.rate * (step + 1) as f64 / self.warm_up as f64;
        }
        let rest = self.steps.saturating_sub(self.warm_up).max(1) as f64;
        let way = ((step - self.warm_up) as f64 / rest).min(1.0);
        let low = self.rate / 10.0;
        low + (self.rate - low) * 0.5 * (1.0 + (std::f64::consts::PI * way).cos())
    }
}

/// How a run learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Learning rate.
    pub schedule: Schedule,
    /// Packs whose gradients make one step.
    pub accumulate: usize,
    /// Tokens of a pack.
    pub length: usize,
    /// Decay of weights.
    pub decay: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Decides order and the first values.
    pub seed: u64,
    /// Read the examples in their order, a curriculum's, not in one that the seed decides.
    pub in_order: bool,
}

impl Settings {
    /// The packs of an epoch.
    ///
    /// # Errors
    /// [`TrainError::Data`](crate::TrainError::Data) if there is nothing to learn or an example does not fit.
    pub fn packs(&self, examples: &[Example], epoch: u64) -> Result<Vec<Packed>> {
        if self.in_order {
            pack_in_order(examples, self.length)
        } else {
            pack(examples, self.length, self.seed.wrapping_add(epoch))
        }
    }
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// First and second moments of every variable.
pub(crate) struct AdamW {
    variables: Vec<(String, Var)>,
    moments: Vec<(Var, Var)>,
}

impl AdamW {
    pub(crate) fn new(variables: Vec<(String, Var)>) -> Result<Self> {
        let zero = |var: &Var| Ok::<_, TrainError>(Var::from_tensor(&var.zeros_like()?)?);
        let moments = variables.iter().map(|(_, var)| Ok((zero(var)?, zero(var)?))).collect::<Result<_>>()?;
        Ok(Self { variables, moments })
    }

    pub(crate) fn variables(&self) -> &[(String, Var)] {
        &self.variables
    }

    /// Everything that the next step depends on, by name.
    pub(crate) fn state(&self) -> Vec<(String, Var)> {
        let mut all = self.variables.clone();
        for ((name, _), (first, second)) in self.variables.iter().zip(&self.moments) {
            all.push((format!("first.{name}"), first.clone()));
            all.push((format!("second.{name}"), second.clone()));
        }
        all
    }

    pub(crate) fn restore(&self, values: &BTreeMap<String, Tensor>) -> Result<()> {
        set(&self.state(), values)
    }

    /// One step along these gradients, in the order of the variables.
    pub(crate) fn step(&self, step: usize, gradients: &[Tensor], settings: &Settings) -> Result<()> {
        let rate = settings.schedule.at(step);
        let length = length(gradients)?;
        let shrink = if length > settings.clip { settings.clip / length } else { 1.0 };
        let power = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let (one, two) = (1.0 - BETA1.powi(power), 1.0 - BETA2.powi(power));
        for (((_, var), (first, second)), gradient) in self.variables.iter().zip(&self.moments).zip(gradients)
        {
            let gradient = (gradient * shrink)?;
            first.set(&((first.as_tensor() * BETA1)? + (&gradient * (1.0 - BETA1))?)?)?;
            second.set(&((second.as_tensor() * BETA2)? + (gradient.sqr()? * (1.0 - BETA2))?)?)?;
            let root = ((second.as_tensor() / two)?.sqrt()? + EPSILON)?;
            let way = ((first.as_tensor() / one)? / root)?;
            let kept = (var.as_tensor() * (1.0 - rate * settings.decay))?;
            var.set(&(kept - (way * rate)?)?)?;
        }
        Ok(())
    }
}

fn length(gradients: &[Tensor]) -> Result<f64> {
    let mut sum = 0.0;
    for gradient in gradients {
        sum += gradient.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    }
    Ok(sum.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_to_its_height_and_ends_at_a_tenth() {
        let schedule = Schedule { rate: 1.0, warm_up: 4, steps: 104 };
        assert!((schedule.at(0) - 0.25).abs() < 1e-12 && (schedule.at(4) - 1.0).abs() < 1e-12);
        assert!((schedule.at(54) - 0.55).abs() < 1e-12 && (schedule.at(104) - 0.1).abs() < 1e-12);
        assert!((4..104).all(|step| schedule.at(step) > schedule.at(step + 1)));
    }
}
