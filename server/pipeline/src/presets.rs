//! The preset interest pool (paper §2): which of its interests a history may show, and which one a written interest is.

use std::collections::BTreeMap;

/// Preset interests offered to the generator at most.
const OFFERED: usize = 10;
/// Lines that must speak for one.
const LINES: usize = 2;

/// Places in the pool of what a history may show, the best supported first: each thing speaks for the preset nearest to
/// it, and a preset counts the lines that have such a thing. `lines` are the vectors of the things of each line.
#[must_use]
pub fn offered(lines: &[Vec<&[f32]>], pool: &[Vec<f32>]) -> Vec<usize> {
    let mut support: BTreeMap<usize, (usize, f32)> = BTreeMap::new();
    for line in lines {
        let mut here: BTreeMap<usize, f32> = BTreeMap::new();
        for thing in line {
            if let Some((place, cosine)) = nearest(thing, pool) {
                let best = here.entry(place).or_insert(cosine);
                *best = best.max(cosine);
            }
        }
        for (place, cosine) in here {
            let (lines, sum) = support.entry(place).or_default();
            *lines += 1;
            *sum += cosine;
        }
    }
    let mut found: Vec<(usize, (usize, f32))> =
        support.into_iter().filter(|(_, (n, _))| *n >= LINES).collect();
    found.sort_by(|(_, a), (_, b)| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
    found.into_iter().take(OFFERED).map(|(place, _)| place).collect()
}

/// The preset that a written interest is: the same words, or at least `near` by the embedder. `None`: it extends the pool.
#[must_use]
pub fn matched(text: &str, vector: &[f32], names: &[String], pool: &[Vec<f32>], near: f32) -> Option<usize> {
    let own = crate::words::stems(text);
    let same = names.iter().position(|name| crate::words::stems(name) == own);
    same.or_else(|| nearest(vector, pool).filter(|(_, cosine)| *cosine >= near).map(|(place, _)| place))
}

fn nearest(vector: &[f32], pool: &[Vec<f32>]) -> Option<(usize, f32)> {
    let cosine = |other: &Vec<f32>| -> f32 { vector.iter().zip(other).map(|(a, b)| a * b).sum() };
    pool.iter().map(cosine).enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
}

/// The name of a preset made of a category path: its innermost level, which is what people would call it.
#[must_use]
pub fn name_of(path: &[String]) -> Option<String> {
    path.iter().rev().map(|level| crate::prompt::one_line(level, 60)).find(|level| level.chars().count() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_is_offered_when_two_lines_speak_for_it() {
        let pool = vec![vec![1.0, 0.0], vec![0.0, 1.0], vec![-1.0, 0.0]];
        let (a, b, c): (&[f32], &[f32], &[f32]) = (&[0.9, 0.1], &[0.2, 0.8], &[-1.0, 0.0]);
        let lines = vec![vec![a, b], vec![b], vec![c], vec![b, b], vec![a]];
        assert_eq!(offered(&lines, &pool), [1, 0]);
        assert!(offered(&lines, &[]).is_empty());
    }

    #[test]
    fn the_same_words_or_the_same_meaning_is_the_preset() {
        let names = vec!["Hand tools".to_owned(), "Paper and ink".to_owned()];
        let pool = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
        assert_eq!(matched("paper and INK", &[1.0, 0.0], &names, &pool, 0.9), Some(1));
        assert_eq!(matched("tools", &[0.95, 0.31], &names, &pool, 0.9), Some(0));
        assert_eq!(matched("gardens", &[0.7, 0.7], &names, &pool, 0.9), None);
    }

    #[test]
    fn the_innermost_level_names_it() {
        assert_eq!(name_of(&["Outdoor".into(), "Angling".into()]).as_deref(), Some("Angling"));
        assert_eq!(name_of(&["Outdoor".into(), " ".into()]).as_deref(), Some("Outdoor"));
        assert_eq!(name_of(&[]), None);
    }
}
