//! CROWDLAB: raters and a model's probabilities, each weighted by how good they prove.

use super::{Rating, Shape, winner};
use crate::len;

/// What CROWDLAB found.
#[derive(Debug, Clone, PartialEq)]
pub struct Crowdlab {
    /// Probability of each category, an item each.
    pub posterior: Vec<Vec<f64>>,
    /// Consensus: the majority, ties by the model.
    pub consensus: Vec<Option<usize>>,
    /// Posterior of the consensus; look at the lowest first.
    pub quality: Vec<Option<f64>>,
    /// Weight of each rater.
    pub rater_weights: Vec<f64>,
    /// Weight of the model.
    pub model_weight: f64,
}

const LEAST: f64 = 1e-6;

/// Consensus of raters and a model (Goh, Tkachenko and Mueller 2022): over items with two labels or more, each
/// rater's weight is how much it beats always naming the commonest category when agreeing with the others, the
/// model's how much it beats that on the consensus, times the root of the labels an item. `None` without an item
/// that two people labelled. Not for references: never with the judge under audit as the model.
#[must_use]
pub fn crowdlab(ratings: &[Rating], probabilities: &[Vec<f64>], shape: Shape) -> Option<Crowdlab> {
    let mut by_item: Vec<Vec<(usize, usize)>> = vec![Vec::new(); shape.items];
    for rating in ratings {
        by_item[rating.item].push((rating.rater, rating.label));
    }
    let consensus: Vec<Option<usize>> =
        by_item.iter().zip(probabilities).map(|(labels, p)| consensus_of(labels, p)).collect();
    let several: Vec<usize> = (0..shape.items).filter(|item| by_item[*item].len() > 1).collect();
    if several.is_empty() {
        return None;
    }
    let n = len(several.len());
    let agreement = several.iter().map(|item| share(&by_item[*item], consensus[*item])).sum::<f64>() / n;
    let chance = baseline_error(&several, &consensus, shape);
    let model_error =
        len(several.iter().filter(|item| winner(&probabilities[**item]) != consensus[**item]).count()) / n;
    let labels = len(ratings.len()) / len(by_item.iter().filter(|labels| !labels.is_empty()).count());
    let model_weight = (1.0 - model_error / chance).max(LEAST) * labels.sqrt();
    let rater_weights: Vec<f64> = (0..shape.raters)
        .map(|rater| (1.0 - (1.0 - with_others(rater, &by_item)) / chance).max(LEAST))
        .collect();
    let posterior: Vec<Vec<f64>> = by_item
        .iter()
        .zip(probabilities)
        .map(|(labels, p)| mixed(labels, p, &rater_weights, model_weight, agreement))
        .collect();
    let quality = consensus.iter().zip(&posterior).map(|(at, item)| at.map(|at| item[at])).collect();
    Some(Crowdlab { posterior, consensus, quality, rater_weights, model_weight })
}

/// The majority; among tied categories the one the model holds likelier.
fn consensus_of(labels: &[(usize, usize)], probabilities: &[f64]) -> Option<usize> {
    let votes = |category: usize| labels.iter().filter(|(_, label)| *label == category).count();
    let most = (0..probabilities.len()).map(votes).max().filter(|most| *most > 0)?;
    (0..probabilities.len())
        .filter(|category| votes(*category) == most)
        .max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]))
}

fn share(labels: &[(usize, usize)], category: Option<usize>) -> f64 {
    len(labels.iter().filter(|(_, label)| Some(*label) == category).count()) / len(labels.len())
}

/// Error of always naming the commonest consensus.
fn baseline_error(several: &[usize], consensus: &[Option<usize>], shape: Shape) -> f64 {
    let of = |category: usize| several.iter().filter(|item| consensus[**item] == Some(category)).count();
    let most = (0..shape.categories).map(of).max().unwrap_or(0);
    (1.0 - len(most) / len(several.len())).max(LEAST)
}

/// How often a rater's label is another's on the same item: pairs, pooled.
fn with_others(rater: usize, by_item: &[Vec<(usize, usize)>]) -> f64 {
    let (mut same, mut pairs) = (0, 0);
    for labels in by_item {
        let Some((_, own)) = labels.iter().find(|(of, _)| *of == rater) else { continue };
        same += labels.iter().filter(|(of, label)| *of != rater && label == own).count();
        pairs += labels.len() - 1;
    }
    if pairs == 0 { 0.0 } else { len(same) / len(pairs) }
}

fn mixed(labels: &[(usize, usize)], p: &[f64], raters: &[f64], model: f64, agreement: f64) -> Vec<f64> {
    let total = model + labels.iter().map(|(rater, _)| raters[*rater]).sum::<f64>();
    let other = (1.0 - agreement) / (len(p.len()) - 1.0);
    p.iter()
        .enumerate()
        .map(|(category, p)| {
            let said = |(rater, label): &(usize, usize)| {
                raters[*rater] * if *label == category { agreement } else { other }
            };
            (model * p + labels.iter().map(said).sum::<f64>()) / total
        })
        .collect()
}
