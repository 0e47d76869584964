//! What the frozen layers below the lowest adapted one make of each example. It never changes while a run lasts, so it
//! is computed once an example and kept.

use crate::Result;
use crate::adapter::Adapter;
use crate::data::{Example, Packed};
use crate::frozen::Frozen;
use candle_core::Tensor;
use std::cell::RefCell;

/// Numbers that are kept at most: 1 GiB of f32. More examples than fit are computed anew each time.
const MOST: usize = 1 << 28;

/// Activations below the lowest adapted layer.
pub struct Below<'a> {
    model: &'a Frozen,
    examples: &'a [Example],
    layers: usize,
    kept: Option<RefCell<Vec<Option<Tensor>>>>,
}

impl<'a> Below<'a> {
    /// For these examples; nothing is computed yet.
    #[must_use]
    pub fn new(model: &'a Frozen, adapter: &Adapter, examples: &'a [Example]) -> Self {
        let tokens: usize = examples.iter().map(|it| it.tokens.len()).sum();
        let kept = (tokens * model.shape().width <= MOST).then(|| RefCell::new(vec![None; examples.len()]));
        Self { model, examples, layers: adapter.lowest().unwrap_or(0), kept }
    }

    /// Layers below.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// The activations of a pack. Each example is computed by itself, whatever pack it first stands in: a run that was
    /// stopped goes on with the same bits.
    pub(crate) fn of(&self, pack: &Packed) -> Result<Tensor> {
        let parts: Vec<Tensor> = pack.of.iter().map(|at| self.one(*at)).collect::<Result<_>>()?;
        Ok(Tensor::cat(&parts, 0)?)
    }

    fn one(&self, at: usize) -> Result<Tensor> {
        if let Some(kept) = self.kept.as_ref().and_then(|kept| kept.borrow()[at].clone()) {
            return Ok(kept);
        }
        let made = self.model.below(&self.examples[at], self.layers)?;
        if let Some(kept) = &self.kept {
            kept.borrow_mut()[at] = Some(made.clone());
        }
        Ok(made)
    }
}
