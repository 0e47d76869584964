//! Constrained selection (RecGPT-V2): of several outputs for one prompt the most accurate one, where accuracy counts only if
//! alignment, diversity and length pass.

/// What is measured of one output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// What the judge gives it, 0 to 1.
    pub accuracy: f64,
    /// Mean cosine of its tags with the interests they serve.
    pub alignment: f64,
    /// 1 − mean cosine between its tags.
    pub diversity: f64,
    /// Tags that break no rule.
    pub length: usize,
}

/// What an output must reach for its accuracy to count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Least alignment.
    pub alignment: f64,
    /// Least diversity.
    pub diversity: f64,
    /// Fewest tags.
    pub length: usize,
}

impl Measured {
    /// Whether every constraint holds.
    #[must_use]
    pub fn passes(&self, thresholds: &Thresholds) -> bool {
        self.alignment >= thresholds.alignment
            && self.diversity >= thresholds.diversity
            && self.length >= thresholds.length
    }

    /// The constrained reward: accuracy where every constraint holds, else 0.
    #[must_use]
    pub fn reward(&self, thresholds: &Thresholds) -> f64 {
        if self.passes(thresholds) { self.accuracy } else { 0.0 }
    }
}

/// The place of the output with the highest reward; among equals the longest, then the first. `None` without outputs.
#[must_use]
pub fn best(outputs: &[Measured], thresholds: &Thresholds) -> Option<usize> {
    (0..outputs.len()).max_by(|a, b| {
        let of = |place: usize| (outputs[place].reward(thresholds), outputs[place].length);
        let (a_reward, a_length) = of(*a);
        let (b_reward, b_length) = of(*b);
        a_reward.total_cmp(&b_reward).then(a_length.cmp(&b_length)).then(b.cmp(a))
    })
}

/// Alignment and diversity of tags: the mean cosine of each with its interest, and 1 − the mean cosine of pairs. Fewer than
/// two tags are not diverse.
#[must_use]
pub fn measure(tags: &[(&[f32], &[f32])]) -> (f64, f64) {
    let dot = |a: &[f32], b: &[f32]| f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>());
    let mean = |values: Vec<f64>| {
        #[expect(clippy::cast_precision_loss, reason = "some tags")]
        let n = values.len() as f64;
        if n > 0.0 { values.iter().sum::<f64>() / n } else { f64::NAN }
    };
    let alignment = mean(tags.iter().map(|(tag, interest)| dot(tag, interest)).collect());
    let mut pairs = Vec::new();
    for (n, (tag, _)) in tags.iter().enumerate() {
        pairs.extend(tags[..n].iter().map(|(other, _)| dot(tag, other)));
    }
    let diversity = 1.0 - mean(pairs);
    (if alignment.is_nan() { 0.0 } else { alignment }, if diversity.is_nan() { 0.0 } else { diversity })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Thresholds = Thresholds { alignment: 0.3, diversity: 0.2, length: 3 };

    fn output(accuracy: f64, alignment: f64, diversity: f64, length: usize) -> Measured {
        Measured { accuracy, alignment, diversity, length }
    }

    #[test]
    fn accuracy_counts_only_where_the_constraints_hold() {
        let outputs = [
            output(0.9, 0.1, 0.5, 9),
            output(0.8, 0.5, 0.1, 9),
            output(0.7, 0.5, 0.5, 2),
            output(0.4, 0.5, 0.5, 3),
        ];
        assert_eq!(best(&outputs, &LEAST), Some(3));
        assert_eq!(
            best(&outputs[..3], &LEAST),
            Some(0),
            "where none holds the longest is taken, then the first"
        );
        assert_eq!(best(&[], &LEAST), None);
    }

    #[test]
    fn alignment_and_diversity_are_means_of_cosines() {
        let (x, y): (&[f32], &[f32]) = (&[1.0, 0.0], &[0.0, 1.0]);
        assert_eq!(measure(&[(x, x), (y, x)]), (0.5, 1.0));
        assert_eq!(measure(&[(x, x), (x, x)]), (1.0, 0.0));
        assert_eq!(measure(&[]), (0.0, 0.0));
    }
}
