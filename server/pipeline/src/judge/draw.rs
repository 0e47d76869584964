//! Drawing worked examples: as many that people passed as that they failed, by seed, in turn.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// A case that could be an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<T> {
    /// What stands for it.
    pub id: T,
    /// Criterion.
    pub criterion: String,
    /// Language.
    pub lang: String,
    /// What people said.
    pub pass: bool,
}

/// Sets of examples, `per_side` passes and as many fails a criterion and language in each; what one set has
/// taken another does not take while there are enough. A criterion and language with too few of a side gets none:
/// one-sided examples teach the judge to say one word. The same candidates and seed give the same sets.
#[must_use]
pub fn draw<T: Clone + Ord>(
    candidates: &[Candidate<T>],
    sets: usize,
    per_side: usize,
    seed: u64,
) -> Vec<Vec<Candidate<T>>> {
    let mut groups: Vec<(&str, &str)> =
        candidates.iter().map(|it| (it.criterion.as_str(), it.lang.as_str())).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut drawn = vec![Vec::new(); sets];
    for (place, (criterion, lang)) in groups.into_iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(place as u64));
        let mut side = |pass: bool| {
            let mut of: Vec<&Candidate<T>> = candidates
                .iter()
                .filter(|it| it.criterion == criterion && it.lang == lang && it.pass == pass)
                .collect();
            of.sort_by(|a, b| a.id.cmp(&b.id));
            of.shuffle(&mut rng);
            of
        };
        let (passes, fails) = (side(true), side(false));
        if per_side == 0 || passes.len() < per_side || fails.len() < per_side {
            continue;
        }
        for (set, out) in drawn.iter_mut().enumerate() {
            let at = |of: &[&Candidate<T>], k: usize| of[(set * per_side + k) % of.len()].clone();
            // Which side comes first changes from set to set: neither word gets used to being last.
            out.extend((0..per_side).flat_map(|k| {
                let (a, b) = (at(&passes, k), at(&fails, k));
                if set % 2 == 0 { [a, b] } else { [b, a] }
            }));
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(passes: usize, fails: usize) -> Vec<Candidate<usize>> {
        let of = |id: usize, pass| Candidate { id, criterion: "c".into(), lang: "zh".into(), pass };
        (0..passes).map(|id| of(id, true)).chain((0..fails).map(|id| of(100 + id, false))).collect()
    }

    #[test]
    fn sets_are_balanced_seeded_and_apart() {
        let all = candidates(30, 7);
        let sets = draw(&all, 3, 2, 5);
        assert_eq!(sets, draw(&all, 3, 2, 5));
        assert_ne!(sets, draw(&all, 3, 2, 6));
        let mut reversed = all.clone();
        reversed.reverse();
        assert_eq!(sets, draw(&reversed, 3, 2, 5), "the order of the candidates says nothing");
        let mut taken: Vec<usize> = sets.iter().flatten().map(|it| it.id).collect();
        assert!(sets.iter().all(|set| set.len() == 4 && set.iter().filter(|it| it.pass).count() == 2));
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 12, "no sample is in two sets");
    }

    #[test]
    fn one_side_alone_is_no_example() {
        assert_eq!(draw(&candidates(30, 1), 2, 2, 5), vec![Vec::new(), Vec::new()]);
        assert_eq!(draw(&candidates(0, 9), 1, 1, 5), vec![Vec::new()]);
    }
}
