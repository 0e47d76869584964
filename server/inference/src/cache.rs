//! The key-value cache: keys and values of every position a model has read, which we own.
//!
//! Candle's ready-made models hide theirs. Ours can be cut back to a length, which is how several
//! questions share one prefilled prefix.

use candle_core::{DType, Device, Result, Tensor};

/// Positions are allocated in blocks of this many.
const BLOCK: usize = 256;

/// Keys and values of all layers.
pub(crate) struct KvCache {
    layers: Vec<Layer>,
    len: usize,
    heads: usize,
    head_dim: usize,
}

struct Layer {
    keys: Tensor,
    values: Tensor,
}

impl KvCache {
    pub(crate) fn new(layers: usize, heads: usize, head_dim: usize) -> Result<Self> {
        let layers = (0..layers)
            .map(|_| {
                Ok(Layer { keys: zeros(heads, BLOCK, head_dim)?, values: zeros(heads, BLOCK, head_dim)? })
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers, len: 0, heads, head_dim })
    }

    /// Positions read so far.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Forgets everything from a position on. What was kept is not touched, so what follows
    /// computes exactly what it would have after a fresh read of the kept positions.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Puts keys and values `[heads, n, head_dim]` of one layer behind position `len` and returns
    /// all of that layer's. [`advance`](Self::advance) follows once every layer has done so.
    pub(crate) fn append(
        &mut self,
        layer: usize,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let added = keys.dim(1)?;
        let whole = self.len + added;
        let (heads, head_dim) = (self.heads, self.head_dim);
        let layer = &mut self.layers[layer];
        let room = layer.keys.dim(1)?;
        if whole > room {
            let more = zeros(heads, (whole - room).next_multiple_of(BLOCK), head_dim)?;
            layer.keys = Tensor::cat(&[&layer.keys, &more], 1)?;
            layer.values = Tensor::cat(&[&layer.values, &more], 1)?;
        }
        layer.keys.slice_set(&keys.contiguous()?, 1, self.len)?;
        layer.values.slice_set(&values.contiguous()?, 1, self.len)?;
        Ok((layer.keys.narrow(1, 0, whole)?, layer.values.narrow(1, 0, whole)?))
    }

    /// Counts positions every layer has appended.
    pub(crate) fn advance(&mut self, added: usize) {
        self.len += added;
    }
}

fn zeros(heads: usize, positions: usize, head_dim: usize) -> Result<Tensor> {
    Tensor::zeros((heads, positions, head_dim), DType::F32, &Device::Cpu)
}
