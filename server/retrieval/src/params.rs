//! Parameters and Adam, written out: a table of embeddings is touched only where a batch meets it, so that a step
//! costs the same whatever the size of the catalogue, and everything that a resumed run needs can be stored.

use crate::{Result, RetrievalError};
use candle_core::{DType, Device, Tensor, Var, backprop::GradStore};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// A matrix of parameters with its moments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) values: Vec<f32>,
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
}

impl Param {
    /// Values drawn evenly from ±`scale`.
    pub(crate) fn random(name: &str, rows: usize, columns: usize, scale: f32, rng: &mut ChaCha8Rng) -> Self {
        let values = (0..rows * columns).map(|_| rng.random_range(-scale..=scale)).collect();
        Self::new(name, rows, columns, values)
    }

    pub(crate) fn new(name: &str, rows: usize, columns: usize, values: Vec<f32>) -> Self {
        let zeros = vec![0.0; values.len()];
        Self { name: name.to_owned(), rows, columns, values, first: zeros.clone(), second: zeros }
    }
}

/// Part of a parameter as a variable of one step: all of a dense one, or the rows that a batch needs.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) param: usize,
    /// Rows taken, in order; empty: all.
    pub(crate) rows: Vec<u32>,
    pub(crate) var: Var,
}

/// All parameters of a model, and how many steps they have taken.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Params {
    pub(crate) list: Vec<Param>,
    pub(crate) steps: u64,
}

impl Params {
    pub(crate) fn add(&mut self, param: Param) -> usize {
        self.list.push(param);
        self.list.len() - 1
    }

    /// A parameter, or these rows of it, as a variable. In f64 for checks of gradients, else f32.
    pub(crate) fn leaf(&self, param: usize, rows: &[u32], dtype: DType) -> Result<Leaf> {
        let it = &self.list[param];
        let (count, values) = if rows.is_empty() {
            (it.rows, it.values.clone())
        } else {
            let mut values = Vec::with_capacity(rows.len() * it.columns);
            for row in rows {
                let at = *row as usize * it.columns;
                values.extend_from_slice(&it.values[at..at + it.columns]);
            }
            (rows.len(), values)
        };
        let tensor = Tensor::from_vec(values, (count, it.columns), &Device::Cpu)?.to_dtype(dtype)?;
        Ok(Leaf { param, rows: rows.to_vec(), var: Var::from_tensor(&tensor)? })
    }

    /// One step of Adam with decoupled weight decay on everything the leaves hold.
    ///
    /// Every leaf must have a gradient: an operation without a backward step would leave its parameters as they are,
    /// and nobody would notice.
    pub(crate) fn step(&mut self, leaves: &[Leaf], grads: &GradStore, rate: f64, decay: f64) -> Result<()> {
        self.steps += 1;
        let (rate, decay) = (rate as f32, decay as f32);
        let steps = self.steps.min(1_000_000) as i32;
        let (correct1, correct2) = (1.0 - BETA1.powi(steps), 1.0 - BETA2.powi(steps));
        for leaf in leaves {
            let param = &mut self.list[leaf.param];
            let grad = grads.get(&leaf.var).ok_or_else(|| RetrievalError::NoGradient(param.name.clone()))?;
            let grad = grad.flatten_all()?.to_vec1::<f32>()?;
            let mut update = |at: usize, g: f32| {
                let first = BETA1 * param.first[at] + (1.0 - BETA1) * g;
                let second = BETA2 * param.second[at] + (1.0 - BETA2) * g * g;
                param.first[at] = first;
                param.second[at] = second;
                let towards = (first / correct1) / ((second / correct2).sqrt() + EPSILON);
                param.values[at] -= rate * (towards + decay * param.values[at]);
            };
            if leaf.rows.is_empty() {
                grad.iter().enumerate().for_each(|(at, g)| update(at, *g));
                continue;
            }
            let columns = param.columns;
            for (row, grad) in leaf.rows.iter().zip(grad.chunks_exact(columns)) {
                grad.iter().enumerate().for_each(|(at, g)| update(*row as usize * columns + at, *g));
            }
        }
        Ok(())
    }
}
