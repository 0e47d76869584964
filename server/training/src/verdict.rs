//! What a model answers to a question of two answers: the log-odds of the first word of the passing answer against that
//! of the failing one. A judge is nothing else, so this says what training did to it.

use crate::adapter::Adapter;
use crate::data::{Example, Packed};
use crate::frozen::Frozen;
use crate::{Result, TrainError};
use candle_core::{DType, IndexOp};

impl Frozen {
    /// Log-odds of the token `pass` against `fail` where the example's answer begins.
    ///
    /// # Errors
    /// [`TrainError::Data`] for an example without a question; a tensor operation's.
    pub fn log_odds(&self, adapter: &Adapter, example: &Example, pass: u32, fail: u32) -> Result<f64> {
        let Some(at) = example.answer.checked_sub(1).filter(|at| *at < example.tokens.len()) else {
            return Err(TrainError::Data("an example has no question".into()));
        };
        let question = Example { tokens: example.tokens[..=at].to_vec(), answer: example.answer };
        let mut pack = Packed::default();
        pack.push(0, &question);
        let logits = self.logits_at(adapter, &pack, at)?.to_dtype(DType::F64)?;
        let of = |token: u32| -> Result<f64> { Ok(logits.i(token as usize)?.to_scalar()?) };
        Ok(of(pass)? - of(fail)?)
    }
}
