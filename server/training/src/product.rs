//! Products with frozen matrices. candle's own product finds the gradient of either side, and of a matrix that never
//! changes nobody asks it: a third of a step's work, and a copy of every matrix, the vocabulary's included.

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Storage, Tensor};

/// x · Wᵀ for a matrix W that is not learnt.
struct Product {
    matrix: Tensor,
}

/// x · Wᵀ, with a gradient for x alone.
pub(crate) fn product(x: &Tensor, matrix: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Product { matrix: matrix.detach() })
}

impl CustomOp1 for Product {
    fn name(&self) -> &'static str {
        "product with a frozen matrix"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (from, to) = layout
            .contiguous_offsets()
            .ok_or_else(|| candle_core::Error::RequiresContiguous { op: self.name() })?;
        let x = match storage {
            CpuStorage::F32(all) => Tensor::from_slice(&all[from..to], layout.shape(), &Device::Cpu),
            CpuStorage::F64(all) => Tensor::from_slice(&all[from..to], layout.shape(), &Device::Cpu),
            other => Err(candle_core::Error::UnsupportedDTypeForOp(
                candle_core::backend::BackendStorage::dtype(other),
                self.name(),
            )),
        }?;
        let product = x.matmul(&self.wide(x.dtype())?.t()?)?;
        let (storage, layout) = product.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => Ok((storage.clone(), layout.shape().clone())),
            _ => Err(candle_core::Error::Msg("models are trained on the processor".into())),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(gradient.matmul(&self.wide(gradient.dtype())?)?))
    }
}

impl Product {
    /// The matrix as numbers of this width: kept in 16 bits it is widened for each product, which costs little beside it.
    fn wide(&self, kind: DType) -> Result<Tensor> {
        self.matrix.to_dtype(kind)
    }
}
