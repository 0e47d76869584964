//! How near a sample is, in meaning, to what it rests on: cosines of an embedder, as features of a judge's head.

use concord_domain::{ChainLink, Sample};

/// The version of what is compared with what; stored with the numbers.
pub const VERSION: &str = "similar/1";

/// What the numbers of [`values`] are, in their order.
pub const NAMES: [&str; 9] = [
    "nearest:link",
    "nearest:root",
    "nearest:cited",
    "mean:cited",
    "nearest:history",
    "mean:history",
    "nearest:context",
    "characters",
    "cited",
];

/// Things of the history that are compared at most, newest first.
const MOST_THINGS: usize = 64;
/// The nearest few things of the history whose mean is a number of its own: one like it may be chance.
const FEW: usize = 3;
/// A text is cut here: embedders read so much.
const LONGEST: usize = 400;

/// A sample's text and what it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The text that is judged.
    pub text: String,
    /// What it rests on: the last link of its chain, the first one, things of history lines that it cites, things of
    /// the history, free context.
    pub groups: [Vec<String>; 5],
}

/// What of a sample is compared with what.
#[must_use]
pub fn compared(sample: &Sample) -> Compared {
    let cut = |text: &str| text.chars().take(LONGEST).collect::<String>();
    let link = |link: Option<&ChainLink>| link.map(|it| cut(&it.text)).into_iter().collect::<Vec<_>>();
    let things = |cited: bool| -> Vec<String> {
        let lines = sample.history.lines.iter().filter(|line| !cited || sample.evidence.contains(&line.n));
        lines.flat_map(|line| &line.things).take(MOST_THINGS).map(|thing| cut(&thing.text)).collect()
    };
    let context = sample.context.iter().map(|(_, text)| cut(text)).take(MOST_THINGS).collect();
    Compared {
        text: cut(&sample.text),
        groups: [link(sample.chain.last()), link(sample.chain.first()), things(true), things(false), context],
    }
}

/// The numbers of a sample from unit vectors of its text and of each group, in the order of [`NAMES`]; `None` where
/// there was nothing to compare with.
#[must_use]
pub fn values(of: &Compared, text: &[f32], groups: &[Vec<Vec<f32>>; 5]) -> Vec<Option<f64>> {
    let near = |group: &Vec<Vec<f32>>| -> Vec<f64> {
        let mut all: Vec<f64> = group.iter().map(|other| dot(text, other)).collect();
        all.sort_by(|a, b| b.total_cmp(a));
        all
    };
    let [link, root, cited, history, context] = groups.each_ref().map(near);
    let characters = of.text.chars().count();
    vec![
        link.first().copied(),
        root.first().copied(),
        cited.first().copied(),
        mean(&cited),
        history.first().copied(),
        mean(history.get(..FEW).unwrap_or(&history)),
        context.first().copied(),
        Some(length(characters + 1).ln()),
        Some(length(of.groups[2].len() + 1).ln()),
    ]
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

fn mean(of: &[f64]) -> Option<f64> {
    (!of.is_empty()).then(|| of.iter().sum::<f64>() / length(of.len()))
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred at most")]
fn length(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_and_the_mean_of_what_is_there() {
        let of = Compared {
            text: "boots".into(),
            groups: [vec!["a".into()], vec![], vec![], vec!["b".into(), "c".into()], vec![]],
        };
        let groups = [vec![vec![0.6, 0.8]], vec![], vec![], vec![vec![1.0, 0.0], vec![0.0, 1.0]], vec![]];
        let found = values(&of, &[1.0, 0.0], &groups);
        assert_eq!(found.len(), NAMES.len());
        let of = |name: &str| found[NAMES.iter().position(|it| *it == name).expect("a name")];
        assert!((of("nearest:link").expect("a number") - 0.6).abs() < 1e-6);
        assert_eq!((of("nearest:root"), of("mean:cited")), (None, None));
        assert_eq!((of("nearest:history"), of("mean:history")), (Some(1.0), Some(0.5)));
        assert_eq!(of("cited"), Some(0.0));
    }
}
