//! Gradients layer by layer (gradient checkpointing; Chen et al. 2016, arXiv 1604.06174, §3). On the way forward only what
//! goes into each layer is kept; on the way back each layer is computed once more, differentiated by itself, and let go.
//! A step's memory is that of one layer, not of thirty, for a third more work.

use crate::adapter::Adapter;
use crate::below::Below;
use crate::data::Packed;
use crate::frozen::Frozen;
use crate::{Result, TrainError};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};

impl Frozen {
    /// The loss of a pack divided by `learnt`, and its gradient for each variable of the adapter, in their order.
    ///
    /// # Errors
    /// [`TrainError::NoGradient`]; a tensor operation's.
    pub fn gradients(
        &self,
        adapter: &Adapter,
        pack: &Packed,
        below: &Below<'_>,
        learnt: f64,
    ) -> Result<(f64, Vec<Tensor>)> {
        let variables = adapter.variables();
        let mut found: Vec<Option<Tensor>> = vec![None; variables.len()];
        let mut take = |store: &mut GradStore| {
            for ((_, var), slot) in variables.iter().zip(&mut found) {
                if let Some(gradient) = store.remove(var.as_tensor()) {
                    *slot = Some(gradient);
                }
            }
        };
        let sight = self.sight(pack)?;
        let layers = below.layers()..self.shape().layers;
        let mut inputs = vec![below.of(pack)?];
        for n in layers.clone() {
            let x = self.layer(Some(adapter), n, &inputs[inputs.len() - 1], &sight)?;
            inputs.push(x.detach());
        }
        let top = inputs.pop().map(|top| Var::from_tensor(&top)).transpose()?;
        let top = top.ok_or_else(|| TrainError::Data("nothing to learn".into()))?;
        let loss = (self.unlikely(top.as_tensor(), pack)? / learnt)?;
        let mut store = loss.backward()?;
        let lost = || TrainError::NoGradient("what a layer makes".into());
        let mut back = store.remove(top.as_tensor()).ok_or_else(lost)?;
        for (n, input) in layers.zip(inputs).rev() {
            let x = Var::from_tensor(&input)?;
            // The gradient of this sum is the gradient that came back, led on through the layer.
            let led = (self.layer(Some(adapter), n, x.as_tensor(), &sight)? * back.detach())?.sum_all()?;
            let mut store = led.backward()?;
            take(&mut store);
            back = store.remove(x.as_tensor()).ok_or_else(lost)?;
        }
        let loss = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let named = variables.iter().zip(found);
        let gradients = named
            .map(|((name, _), gradient)| gradient.ok_or_else(|| TrainError::NoGradient(name.clone())))
            .collect::<Result<_>>()?;
        Ok((loss, gradients))
    }
}
