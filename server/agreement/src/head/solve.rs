//! The arithmetic of Newton's method.

use super::sigmoid;

/// Newton's step: (XᵀWX + λI)⁻¹ (Xᵀ(y − p) − λw).
pub(super) fn newton(rows: &[Vec<f64>], passes: &[bool], weights: &[f64], ridge: f64) -> Option<Vec<f64>> {
    let width = weights.len();
    let mut square = vec![vec![0.0; width]; width];
    let mut right = vec![0.0; width];
    for (row, pass) in rows.iter().zip(passes) {
        let p = sigmoid(row.iter().zip(weights).map(|(x, w)| x * w).sum());
        let weight = (p * (1.0 - p)).max(1e-9);
        for (i, x) in row.iter().enumerate() {
            right[i] += x * (f64::from(u8::from(*pass)) - p);
            for (j, y) in row.iter().enumerate() {
                square[i][j] += weight * x * y;
            }
        }
    }
    for at in 1..width {
        square[at][at] += ridge;
        right[at] -= ridge * weights[at];
    }
    solve(square, right)
}

/// Gauss with pivots.
fn solve(mut square: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for at in 0..n {
        let pivot = (at..n).max_by(|a, b| square[*a][at].abs().total_cmp(&square[*b][at].abs()))?;
        if square[pivot][at].abs() < 1e-12 {
            return None;
        }
        square.swap(at, pivot);
        right.swap(at, pivot);
        let (above, below) = square.split_at_mut(at + 1);
        let row = &above[at];
        for (other, nth) in below.iter_mut().zip(at + 1..) {
            let times = other[at] / row[at];
            other.iter_mut().zip(row).skip(at).for_each(|(value, take)| *value -= times * take);
            right[nth] -= times * right[at];
        }
    }
    for at in (0..n).rev() {
        for column in at + 1..n {
            right[at] -= square[at][column] * right[column];
        }
        right[at] /= square[at][at];
    }
    Some(right)
}
