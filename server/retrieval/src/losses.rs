//! The three losses, all softmax-contrastive (paper §4): L = L_col + α·L_tag + (1 − α)·L_cate.

use crate::Result;
use candle_core::{D, Device, Tensor};

/// What masked logits are moved by: far below any logit, and still a number.
const NEVER: f64 = -1e4;

/// The losses of one batch; what the data cannot give is `None`.
#[derive(Debug)]
pub(crate) struct Losses {
    /// Clicked against sampled unclicked items.
    pub(crate) col: Tensor,
    /// The tag's item against sampled items.
    pub(crate) tag: Option<Tensor>,
    /// An item of the same category against items of others.
    pub(crate) cate: Option<Tensor>,
}

impl Losses {
    pub(crate) fn total(&self, alpha: f64) -> Result<Tensor> {
        let mut total = self.col.clone();
        if let Some(tag) = &self.tag {
            total = (total + (tag * alpha)?)?;
        }
        if let Some(cate) = &self.cate {
            total = (total + (cate * (1.0 - alpha))?)?;
        }
        Ok(total)
    }
}

/// Which sampled items are no negatives, row by row, and what corrects a logit for how often it is drawn.
#[derive(Debug)]
pub(crate) struct Sampled {
    /// `true`: leave out. Rows × negatives.
    pub(crate) masked: Vec<bool>,
    /// Taken from the logits of the positives.
    pub(crate) positive: Vec<f64>,
    /// Taken from the logits of the negatives.
    pub(crate) negative: Vec<f64>,
}

/// The mean over rows of −ln softmax of the positive, among it and the negatives that are not masked.
pub(crate) fn contrast(
    anchors: &Tensor,
    positives: &Tensor,
    negatives: &Tensor,
    sampled: &Sampled,
    temperature: f64,
) -> Result<Tensor> {
    let (rows, count, dtype) = (anchors.dim(0)?, negatives.dim(0)?, anchors.dtype());
    let column = |values: &[f64], shape: (usize, usize)| {
        Tensor::from_slice(values, shape, &Device::Cpu)?.to_dtype(dtype)
    };
    let positive = ((anchors * positives)?.sum_keepdim(1)? / temperature)?;
    let positive = positive.broadcast_sub(&column(&sampled.positive, (rows, 1))?)?;
    let negative = (anchors.matmul(&negatives.t()?)? / temperature)?;
    let negative = negative.broadcast_sub(&column(&sampled.negative, (1, count))?)?;
    let mask: Vec<f64> = sampled.masked.iter().map(|masked| if *masked { NEVER } else { 0.0 }).collect();
    let negative = (negative + column(&mask, (rows, count))?)?;
    let logits = Tensor::cat(&[&positive, &negative], 1)?;
    // ln Σ exp, shifted by the largest so that nothing overflows; the shift itself has no gradient to give.
    let largest = logits.max_keepdim(D::Minus1)?.detach();
    let sum = logits.broadcast_sub(&largest)?.exp()?.sum_keepdim(1)?;
    Ok(((sum.log()? + largest)? - positive)?.mean_all()?)
}
