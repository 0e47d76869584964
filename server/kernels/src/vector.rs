//! What is computed along single rows: norms and the curves of feed-forward layers.
#![allow(unsafe_code, reason = "vector loads through pointers into slices of checked length")]

use crate::isa::{Isa, versions};
use crate::simd::Simd;

/// Scales a row to a root mean square of 1, then by `weight`.
pub fn rms_norm_rows(isa: Isa, row: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    fits(&[row, weight], out);
    rms_norm(isa, row, weight, eps, out);
}

/// Shifts and scales a row to mean 0 and variance 1, then by `weight` and `bias`.
pub fn layer_norm_rows(isa: Isa, row: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    fits(&[row, weight, bias], out);
    layer_norm(isa, row, weight, bias, eps, out);
}

/// `silu(gate) · up`.
pub fn silu_times_rows(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    fits(&[gate, up], out);
    silu_times(isa, gate, up, out);
}

/// `gelu(row + bias)`, with the error function.
pub fn gelu_rows(isa: Isa, row: &[f32], bias: &[f32], out: &mut [f32]) {
    fits(&[row, bias], out);
    gelu(isa, row, bias, out);
}

/// `out += row`.
pub fn add_rows(row: &[f32], out: &mut [f32]) {
    assert_eq!(row.len(), out.len(), "rows of one length");
    out.iter_mut().zip(row).for_each(|(out, value)| *out += value);
}

fn fits(rows: &[&[f32]], out: &[f32]) {
    let length = out.len();
    assert!(length.is_multiple_of(16) && rows.iter().all(|row| row.len() == length), "rows of {length}");
}

versions! {
    /// See [`rms_norm_rows`].
    fn rms_norm(row: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = rms_norm_with
}
versions! {
    /// See [`layer_norm_rows`].
    fn layer_norm(row: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) = layer_norm_with
}
versions! {
    /// See [`silu_times_rows`].
    fn silu_times(gate: &[f32], up: &[f32], out: &mut [f32]) = silu_times_with
}
versions! {
    /// See [`gelu_rows`].
    fn gelu(row: &[f32], bias: &[f32], out: &mut [f32]) = gelu_with
}

/// Applies an operation to 16 lanes of each input at a time. The public functions compared the lengths.
macro_rules! lanes {
    ($S:ident, $out:expr, |$($it:ident),*| $body:expr) => {
        for at in (0..$out.len()).step_by(16) {
            let value = {
                $(let $it = unsafe { $S::load($it.as_ptr().add(at)) };)*
                $body
            };
            unsafe { $S::store($out.as_mut_ptr().add(at), value) };
        }
    };
}

#[inline(always)]
fn rms_norm_with<S: Simd>(row: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let mut squares = S::set(0.0);
    for sixteen in row.chunks_exact(16) {
        let value = unsafe { S::load(sixteen.as_ptr()) };
        squares = S::fma(value, value, squares);
    }
    let scale = S::set(1.0 / (S::sum(squares) / row.len() as f32 + eps).sqrt());
    lanes!(S, out, |row, weight| S::mul(S::mul(row, scale), weight));
}

#[inline(always)]
fn layer_norm_with<S: Simd>(row: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let mut sum = S::set(0.0);
    for sixteen in row.chunks_exact(16) {
        sum = S::add(sum, unsafe { S::load(sixteen.as_ptr()) });
    }
    let mean = S::set(S::sum(sum) / row.len() as f32);
    let mut squares = S::set(0.0);
    for sixteen in row.chunks_exact(16) {
        let value = S::sub(unsafe { S::load(sixteen.as_ptr()) }, mean);
        squares = S::fma(value, value, squares);
    }
    let scale = S::set(1.0 / (S::sum(squares) / row.len() as f32 + eps).sqrt());
    lanes!(S, out, |row, weight, bias| S::fma(S::mul(S::sub(row, mean), scale), weight, bias));
}

#[inline(always)]
fn silu_times_with<S: Simd>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    let one = S::set(1.0);
    lanes!(S, out, |gate, up| {
        let negative = S::exp(S::sub(S::set(0.0), gate));
        S::mul(S::div(gate, S::add(one, negative)), up)
    });
}

#[inline(always)]
fn gelu_with<S: Simd>(row: &[f32], bias: &[f32], out: &mut [f32]) {
    let half = S::set(0.5);
    lanes!(S, out, |row, bias| {
        let x = S::add(row, bias);
        let z = S::mul(x, S::set(std::f32::consts::FRAC_1_SQRT_2));
        S::mul(S::mul(x, half), S::add(S::set(1.0), erf::<S>(z)))
    });
}

/// The error function by Abramowitz and Stegun 7.1.26: wrong by at most 1.5e-7.
#[inline(always)]
fn erf<S: Simd>(x: S::F) -> S::F {
    let (zero, one) = (S::set(0.0), S::set(1.0));
    let size = S::max(x, S::sub(zero, x));
    let t = S::div(one, S::fma(size, S::set(0.327_591_1), one));
    let mut y = S::set(1.061_405_4);
    for coefficient in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        y = S::fma(y, t, S::set(coefficient));
    }
    let tail = S::mul(S::mul(y, t), S::exp(S::sub(zero, S::mul(size, size))));
    let value = S::sub(one, tail);
    // The sign of x, without a comparison: x / |x|, and 0 where both are.
    let sign = S::div(x, S::max(size, S::set(f32::MIN_POSITIVE)));
    S::mul(value, sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seed: f32) -> Vec<f32> {
        (0..64).map(|at| ((at as f32 + seed) * 0.7).sin() * 4.0).collect()
    }

    #[test]
    fn every_instruction_set_gives_the_scalar_rows_bit_for_bit() {
        let (a, b, c) = (row(0.0), row(3.0), row(9.0));
        let all = |isa| {
            let mut out = vec![vec![0.0; 64]; 4];
            rms_norm_rows(isa, &a, &b, 1e-6, &mut out[0]);
            layer_norm_rows(isa, &a, &b, &c, 1e-6, &mut out[1]);
            silu_times_rows(isa, &a, &b, &mut out[2]);
            gelu_rows(isa, &a, &b, &mut out[3]);
            out.concat().into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let sets = Isa::all();
        for isa in &sets {
            assert_eq!(all(*isa), all(sets[0]), "{}", isa.name());
        }
    }

    #[test]
    fn rows_are_what_the_formulas_say() {
        let (a, b, c) = (row(0.0), row(3.0), row(9.0));
        let isa = Isa::detect();
        let mut out = vec![0.0; 64];
        let near = |found: &[f32], expected: &dyn Fn(usize) -> f64| {
            for (at, found) in found.iter().enumerate() {
                let wanted = expected(at);
                assert!((f64::from(*found) - wanted).abs() < 2e-6 * (1.0 + wanted.abs()), "{found} {wanted}");
            }
        };
        let wide = |row: &[f32]| row.iter().map(|it| f64::from(*it)).collect::<Vec<_>>();
        let (x, y, z) = (wide(&a), wide(&b), wide(&c));
        rms_norm_rows(isa, &a, &b, 1e-6, &mut out);
        let rms = (x.iter().map(|it| it * it).sum::<f64>() / 64.0 + 1e-6).sqrt();
        near(&out, &|at| x[at] / rms * y[at]);
        layer_norm_rows(isa, &a, &b, &c, 1e-6, &mut out);
        let mean = x.iter().sum::<f64>() / 64.0;
        let deviation = (x.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / 64.0 + 1e-6).sqrt();
        near(&out, &|at| (x[at] - mean) / deviation * y[at] + z[at]);
        silu_times_rows(isa, &a, &b, &mut out);
        near(&out, &|at| x[at] / (1.0 + (-x[at]).exp()) * y[at]);
        gelu_rows(isa, &a, &vec![0.0; 64], &mut out);
        // A few known values of the error function stand for it: erf(1) and erf(-1/2).
        let known =
            [(std::f32::consts::SQRT_2, 0.842_700_79), (-std::f32::consts::FRAC_1_SQRT_2, -0.520_499_88)];
        for (x, erf) in known {
            gelu_rows(isa, &[x; 16], &[0.0; 16], &mut out[..16]);
            let expected = f64::from(x) / 2.0 * (1.0 + erf);
            assert!((f64::from(out[0]) - expected).abs() < 1e-6, "{} {expected}", out[0]);
        }
    }
}
