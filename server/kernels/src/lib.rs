//! What a language model computes, on a CPU: products of quantised matrices, attention, norms.
//!
//! Weights are repacked once, when they are loaded, into tiles of 16 rows that a vector instruction reads in
//! order; nothing else keeps a copy of them. The instructions are chosen when the program runs.
//!
//! **Every row is computed by itself.** What is computed for one activation row does not depend on the rows that
//! go with it: integer sums are exact, and floating-point sums always run in the same order. So a batch gives bit
//! for bit what its members give alone, and a prompt read in pieces what it gives read whole.
//!
//! This is the one crate with `unsafe` code: vector intrinsics read through pointers, and threads share one output.
//! Each such place says why it is sound, and tests compare every instruction set with scalar code, bit for bit.

#![allow(clippy::needless_range_loop, reason = "kernels index several small arrays by one constant range")]

mod activations;
mod attention;
mod isa;
mod matmul;
mod pack;
mod pool;
mod products;
mod simd;
#[cfg(target_arch = "x86_64")]
mod simd_avx2;
#[cfg(target_arch = "x86_64")]
mod simd_avx512;
mod tile;
mod vector;

pub use activations::Activations;
pub use attention::{BLOCK, KvBlock, Query, attend};
pub use isa::Isa;
pub use matmul::{Output, matmul, multiply, multiply_some};
pub use pack::{Format, Matrix, PackError};
pub use pool::Pool;
pub use vector::{add_rows, gelu_rows, layer_norm_rows, rms_norm_rows, silu_times_rows};
