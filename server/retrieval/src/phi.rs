//! φ, tag to category (paper §1, §3): multinomial logistic regression on frozen embeddings of titles.
//!
//! Trained by Adam on mini-batches in an order drawn by seed, so that the same rows and seed give the same weights.
//! Embeddings of texts share a large part, which tells no category from another: it is taken off before training, what is
//! left is stretched to the length of the whole, and both are put back into the weights afterwards.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// How φ is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhiTraining {
    /// Times that every row is read.
    pub epochs: usize,
    /// Adam's step.
    pub rate: f32,
    /// Weight decay a step.
    pub decay: f32,
    /// Rows a step.
    pub batch: usize,
    /// Order of the rows.
    pub seed: u64,
}

impl Default for PhiTraining {
    fn default() -> Self {
        Self { epochs: 30, rate: 0.01, decay: 1e-4, batch: 32, seed: 1 }
    }
}

/// The model: scores of categories for a unit vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Phi {
    dim: usize,
    categories: Vec<String>,
    /// A row a category: its weights, then its bias.
    weights: Vec<f32>,
}

impl Phi {
    /// Trains on vectors of one length, each with the place of its category. `None` with fewer than two categories, no
    /// rows, or rows that do not fit.
    #[must_use]
    pub fn train(rows: &[(&[f32], usize)], categories: Vec<String>, how: &PhiTraining) -> Option<Self> {
        let dim = rows.first().map(|(vector, _)| vector.len()).filter(|dim| *dim > 0)?;
        let fits = rows.iter().all(|(vector, of)| vector.len() == dim && *of < categories.len());
        if categories.len() < 2 || !fits {
            return None;
        }
        let shared = Shared::of(rows);
        let apart: Vec<(Vec<f32>, usize)> =
            rows.iter().map(|(vector, of)| (shared.without(vector), *of)).collect();
        let mut phi = Self { dim, weights: vec![0.0; categories.len() * (dim + 1)], categories };
        let mut adam = Adam::new(phi.weights.len(), how.rate);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(how.seed);
        let mut gradient = vec![0.0; phi.weights.len()];
        for _ in 0..how.epochs {
            order.shuffle(&mut rng);
            for batch in order.chunks(how.batch.max(1)) {
                gradient.fill(0.0);
                for place in batch {
                    let (vector, of) = &apart[*place];
                    phi.add_gradient(vector, *of, &mut gradient);
                }
                #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
                let share = 1.0 / batch.len() as f32;
                adam.step(&mut phi.weights, &gradient, share, how.decay);
            }
        }
        shared.put_back(&mut phi);
        Some(phi)
    }

    /// A stored model; `None` if the numbers do not fit.
    #[must_use]
    pub fn restore(dim: usize, categories: Vec<String>, weights: Vec<f32>) -> Option<Self> {
        let fits = categories.len() >= 2 && dim > 0 && weights.len() == categories.len() * (dim + 1);
        fits.then_some(Self { dim, categories, weights })
    }

    /// Length of the vectors it reads.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The weights, to be stored.
    #[must_use]
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The categories, in the order of the scores.
    #[must_use]
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// The probability of each category; empty for a vector of another length.
    #[must_use]
    pub fn scores(&self, vector: &[f32]) -> Vec<f32> {
        if vector.len() != self.dim {
            return Vec::new();
        }
        // Unit vectors have small numbers: as if each had variance 1, so that one step suits every length.
        let scale = self.scale();
        let mut scores: Vec<f32> = self
            .weights
            .chunks_exact(self.dim + 1)
            .map(|row| dot(&row[..self.dim], vector) * scale + row[self.dim])
            .collect();
        let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        scores.iter_mut().for_each(|score| *score = (*score - top).exp());
        let sum: f32 = scores.iter().sum();
        scores.iter_mut().for_each(|score| *score /= sum);
        scores
    }

    /// The likeliest category; ties by place. `None` for a vector of another length.
    #[must_use]
    pub fn best(&self, vector: &[f32]) -> Option<usize> {
        let scores = self.scores(vector);
        (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)))
    }

    fn scale(&self) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "some hundred")]
        let dim = self.dim as f32;
        dim.sqrt()
    }

    fn add_gradient(&self, vector: &[f32], of: usize, gradient: &mut [f32]) {
        let (scores, scale) = (self.scores(vector), self.scale());
        for (category, (score, row)) in scores.iter().zip(gradient.chunks_exact_mut(self.dim + 1)).enumerate()
        {
            let error = score - if category == of { 1.0 } else { 0.0 };
            if error.abs() < 1e-6 {
                continue;
            }
            row[..self.dim].iter_mut().zip(vector).for_each(|(g, x)| *g += error * scale * x);
            row[self.dim] += error;
        }
    }
}

/// What vectors have in common, and how much longer they are than what is left without it.
struct Shared {
    mean: Vec<f32>,
    stretch: f32,
}

impl Shared {
    #[expect(clippy::cast_precision_loss, reason = "a mean of some thousand")]
    fn of(rows: &[(&[f32], usize)]) -> Self {
        let mut mean = vec![0.0; rows.first().map_or(0, |(vector, _)| vector.len())];
        let share = 1.0 / rows.len().max(1) as f32;
        for (vector, _) in rows {
            mean.iter_mut().zip(*vector).for_each(|(mean, x)| *mean += share * x);
        }
        let (mut whole, mut left) = (0.0_f64, 0.0_f64);
        for (vector, _) in rows {
            whole += f64::from(dot(vector, vector));
            left += vector.iter().zip(&mean).map(|(x, mean)| f64::from(x - mean).powi(2)).sum::<f64>();
        }
        #[expect(clippy::cast_possible_truncation, reason = "a factor")]
        let stretch = if left > 0.0 { (whole / left).sqrt() as f32 } else { 1.0 };
        Self { mean, stretch }
    }

    fn without(&self, vector: &[f32]) -> Vec<f32> {
        vector.iter().zip(&self.mean).map(|(x, mean)| (x - mean) * self.stretch).collect()
    }

    /// Weights of vectors without the shared part become weights of whole ones, with the same scores.
    fn put_back(&self, phi: &mut Phi) {
        let (dim, scale) = (phi.dim, phi.scale());
        for row in phi.weights.chunks_exact_mut(dim + 1) {
            row[..dim].iter_mut().for_each(|weight| *weight *= self.stretch);
            row[dim] -= scale * dot(&row[..dim], &self.mean);
        }
    }
}

/// Sums in eight lanes, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (a8, b8) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (x, y) in a8.0.iter().zip(b8.0) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a8.1.iter().zip(b8.1).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}

struct Adam {
    rate: f32,
    mean: Vec<f32>,
    square: Vec<f32>,
    power: (f32, f32),
}

impl Adam {
    fn new(n: usize, rate: f32) -> Self {
        Self { rate, mean: vec![0.0; n], square: vec![0.0; n], power: (1.0, 1.0) }
    }

    fn step(&mut self, weights: &mut [f32], gradient: &[f32], share: f32, decay: f32) {
        const BETA: (f32, f32) = (0.9, 0.999);
        self.power = (self.power.0 * BETA.0, self.power.1 * BETA.1);
        let (one, two) = (1.0 - self.power.0, 1.0 - self.power.1);
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((weight, gradient), (mean, square)) in weights.iter_mut().zip(gradient).zip(moments) {
            let gradient = gradient * share;
            *mean = BETA.0 * *mean + (1.0 - BETA.0) * gradient;
            *square = BETA.1 * *square + (1.0 - BETA.1) * gradient * gradient;
            *weight -= self.rate * ((*mean / one) / ((*square / two).sqrt() + 1e-8) + decay * *weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    /// Unit vectors around three directions.
    fn clouds(n: usize, seed: u64) -> Vec<(Vec<f32>, usize)> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n)
            .map(|place| {
                let of = place % 3;
                let mut vector: Vec<f32> = (0..16)
                    .map(|x| rng.random_range(-0.5..0.5) + if x / 5 == of { 1.0 } else { 0.0 })
                    .collect();
                let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
                vector.iter_mut().for_each(|x| *x /= length);
                (vector, of)
            })
            .collect()
    }

    fn names() -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).into()
    }

    fn train(rows: &[(Vec<f32>, usize)]) -> Option<Phi> {
        let rows: Vec<(&[f32], usize)> = rows.iter().map(|(vector, of)| (vector.as_slice(), *of)).collect();
        Phi::train(&rows, names(), &PhiTraining::default())
    }

    #[test]
    fn it_learns_what_can_be_learnt_and_the_same_twice() {
        let (train_rows, test_rows) = (clouds(90, 1), clouds(300, 2));
        let phi = train(&train_rows).expect("trains");
        let right = test_rows.iter().filter(|(vector, of)| phi.best(vector) == Some(*of)).count();
        assert!(right >= 285, "{right} of 300");
        assert_eq!(train(&train_rows).as_ref(), Some(&phi));
        let restored = Phi::restore(phi.dim(), names(), phi.weights().to_vec());
        assert_eq!(restored, Some(phi));
    }

    #[test]
    fn what_all_vectors_share_is_taken_off_and_put_back() {
        let rows = clouds(9, 5);
        let rows: Vec<(&[f32], usize)> = rows.iter().map(|(vector, of)| (vector.as_slice(), *of)).collect();
        let shared = Shared::of(&rows);
        let mut phi = Phi { dim: 16, categories: names(), weights: vec![0.0; 3 * 17] };
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        phi.weights.iter_mut().for_each(|w| *w = rng.random_range(-0.5..0.5));
        let before: Vec<Vec<f32>> =
            rows.iter().map(|(vector, _)| phi.scores(&shared.without(vector))).collect();
        shared.put_back(&mut phi);
        for ((vector, _), before) in rows.iter().zip(before) {
            let near = phi.scores(vector).iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-4);
            assert!(near, "{:?} {before:?}", phi.scores(vector));
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let rows = clouds(6, 3);
        let mut phi = Phi { dim: 16, categories: names(), weights: vec![0.0; 3 * 17] };
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        phi.weights.iter_mut().for_each(|w| *w = rng.random_range(-0.5..0.5));
        let loss = |phi: &Phi| -> f64 {
            rows.iter().map(|(vector, of)| -f64::from(phi.scores(vector)[*of]).ln()).sum()
        };
        let mut gradient = vec![0.0; phi.weights.len()];
        rows.iter().for_each(|(vector, of)| phi.add_gradient(vector, *of, &mut gradient));
        for (place, exact) in gradient.iter().enumerate() {
            let (mut up, mut down) = (phi.clone(), phi.clone());
            up.weights[place] += 1e-2;
            down.weights[place] -= 1e-2;
            let numeric = (loss(&up) - loss(&down)) / 2e-2;
            assert!((numeric - f64::from(*exact)).abs() < 5e-3, "{place}: {numeric} {}", gradient[place]);
        }
    }

    #[test]
    fn what_does_not_fit_is_no_model() {
        assert_eq!(Phi::train(&[], names(), &PhiTraining::default()), None);
        assert_eq!(Phi::train(&[(&[1.0], 3)], names(), &PhiTraining::default()), None);
        assert_eq!(Phi::train(&[(&[1.0], 0)], vec!["a".into()], &PhiTraining::default()), None);
        assert_eq!(Phi::restore(2, names(), vec![0.0; 8]), None);
        let phi = train(&clouds(9, 1)).expect("trains");
        assert_eq!((phi.best(&[1.0]), phi.scores(&[]).len()), (None, 0));
    }
}
