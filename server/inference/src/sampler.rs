//! Picks the next token: the likeliest at temperature 0, otherwise a seeded draw.

use llguidance::toktrie::SimpleVob;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws tokens; the same seed draws the same ones.
pub(crate) struct Sampler {
    temperature: f64,
    random: ChaCha8Rng,
}

impl Sampler {
    pub(crate) fn new(temperature: f64, seed: u64) -> Self {
        Self { temperature, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// One of the allowed tokens; `None` when there is none.
    pub(crate) fn pick(&mut self, logits: &[f32], allowed: &SimpleVob) -> Option<u32> {
        let candidates = || {
            allowed.iter().filter_map(|token| {
                let logit = *logits.get(token as usize)?;
                // A kernel's NaN must not win by accident.
                Some((token, if logit.is_nan() { f32::NEG_INFINITY } else { logit }))
            })
        };
        let (best, highest) =
            candidates().fold(None, |best: Option<(u32, f32)>, (token, logit)| match best {
                Some((_, highest)) if logit <= highest => best,
                _ => Some((token, logit)),
            })?;
        if self.temperature <= 0.0 || !highest.is_finite() {
            return Some(best);
        }
        let weight = |logit: f32| (f64::from(logit - highest) / self.temperature).exp();
        let total: f64 = candidates().map(|(_, logit)| weight(logit)).sum();
        let mut left = self.random.random::<f64>() * total;
        for (token, logit) in candidates() {
            left -= weight(logit);
            if left <= 0.0 {
                return Some(token);
            }
        }
        // Rounding used up the whole draw.
        Some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(tokens: &[u32], size: usize) -> SimpleVob {
        let mut allowed = SimpleVob::alloc(size);
        tokens.iter().for_each(|token| allowed.allow_token(*token));
        allowed
    }

    #[test]
    fn greedy_takes_the_likeliest_allowed_token_and_never_a_nan() {
        let mut sampler = Sampler::new(0.0, 0);
        let logits = [9.0, f32::NAN, 2.0, 3.0];
        assert_eq!(sampler.pick(&logits, &allow(&[1, 2, 3], 4)), Some(3));
        assert_eq!(sampler.pick(&logits, &allow(&[], 4)), None);
    }

    #[test]
    fn draws_follow_the_probabilities_and_the_seed() {
        let logits = [0.0, 1.0, 5.0];
        let allowed = allow(&[0, 1], 3);
        let draw = |seed| {
            let mut sampler = Sampler::new(1.0, seed);
            (0..4000).map(|_| sampler.pick(&logits, &allowed).unwrap()).collect::<Vec<_>>()
        };
        let ones = draw(7).iter().filter(|token| **token == 1).count() as f64 / 4000.0;
        assert!((ones - 0.731).abs() < 0.03, "{ones}");
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
