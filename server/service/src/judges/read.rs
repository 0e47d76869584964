//! Reading a verdict out of what a model gave: the mean over sets of examples, then the calibration.

use concord_agreement::calibrator::Calibrator;
use concord_domain::ports::Score;
use serde_json::{Map, Value, json};

/// A verdict as read.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Read {
    /// Whether it passes; `None`: it could not be read.
    pub(crate) pass: Option<bool>,
    /// Probability of pass.
    pub(crate) p: Option<f64>,
    /// It went through a calibration.
    pub(crate) calibrated: bool,
    /// Raw logits by answer, to read it anew.
    pub(crate) logits: Option<Value>,
}

/// From the scores of one question, one a set of examples. With logits of every set the probability is theirs. A
/// model that gives no probability is taken at its word, uncalibrated; where sets say different words and as many
/// pass as fail, or none could be read, there is no verdict.
pub(crate) fn read(answers: &[String], scores: &[&Score], calibration: Option<&Calibrator>) -> Read {
    let logits = logits(answers, scores);
    if let Some(p) = logits.as_ref().and_then(|logits| probability(logits, answers)) {
        return Read { logits, ..decide(p, calibration) };
    }
    let known: Vec<f64> = scores.iter().filter_map(|score| score.p_first).collect();
    if !known.is_empty() && known.len() == scores.len() {
        #[expect(clippy::cast_precision_loss, reason = "a handful of sets")]
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        return decide(mean, calibration);
    }
    let said = |pass: bool| {
        let is = |score: &&&Score| match (score.p_first, score.said) {
            (Some(p), _) => (p >= 0.5) == pass,
            (None, Some(answer)) => (answer == 0) == pass,
            (None, None) => false,
        };
        scores.iter().filter(is).count()
    };
    let pass = match said(true).cmp(&said(false)) {
        std::cmp::Ordering::Greater => Some(true),
        std::cmp::Ordering::Less => Some(false),
        std::cmp::Ordering::Equal => None,
    };
    Read { pass, ..Read::default() }
}

/// The same from stored logits: no model is asked.
pub(crate) fn reread(logits: &Value, answers: &[String], calibration: Option<&Calibrator>) -> Option<Read> {
    probability(logits, answers).map(|p| decide(p, calibration))
}

fn decide(raw: f64, calibration: Option<&Calibrator>) -> Read {
    let p = calibration.map_or(raw, |it| it.apply(raw)).clamp(0.0, 1.0);
    Read { pass: Some(p >= 0.5), p: Some(p), calibrated: calibration.is_some(), logits: None }
}

/// Logits by answer as they are stored: a number an answer, or a list of one a set.
fn logits(answers: &[String], scores: &[&Score]) -> Option<Value> {
    let sets: Vec<&Vec<f32>> = scores.iter().map(|score| score.logits.as_ref()).collect::<Option<_>>()?;
    if sets.is_empty() || sets.iter().any(|set| set.len() != answers.len()) {
        return None;
    }
    let column = |at: usize| match sets.as_slice() {
        [one] => json!(one[at]),
        many => json!(many.iter().map(|set| set[at]).collect::<Vec<f32>>()),
    };
    let pairs = answers.iter().enumerate().map(|(at, answer)| (answer.clone(), column(at)));
    Some(Value::Object(pairs.collect::<Map<String, Value>>()))
}

/// The probability of the first answer among the answers by stored logits, the mean over sets (simulated
/// annotators).
pub(crate) fn probability(logits: &Value, answers: &[String]) -> Option<f64> {
    let column = |answer: &String| -> Option<Vec<f64>> {
        match logits.get(answer)? {
            Value::Array(sets) => sets.iter().map(Value::as_f64).collect(),
            one => Some(vec![one.as_f64()?]),
        }
    };
    let columns: Vec<Vec<f64>> = answers.iter().map(column).collect::<Option<_>>()?;
    let sets = columns.first()?.len();
    if sets == 0 || columns.iter().any(|column| column.len() != sets) {
        return None;
    }
    let one = |set: usize| {
        let most = columns.iter().map(|column| column[set]).fold(f64::NEG_INFINITY, f64::max);
        let parts: Vec<f64> = columns.iter().map(|column| (column[set] - most).exp()).collect();
        parts[0] / parts.iter().sum::<f64>()
    };
    #[expect(clippy::cast_precision_loss, reason = "a handful of sets")]
    let mean = (0..sets).map(one).sum::<f64>() / sets as f64;
    mean.is_finite().then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Vec<String> {
        vec!["Yes".into(), "No".into()]
    }

    fn scored(yes: f32, no: f32) -> Score {
        let p = 1.0 / (1.0 + f64::from(no - yes).exp());
        Score { logits: Some(vec![yes, no]), p_first: Some(p), said: None }
    }

    fn said(answer: Option<usize>) -> Score {
        Score { logits: None, p_first: None, said: answer }
    }

    #[test]
    fn what_is_read_from_a_model_is_read_again_from_its_logits() {
        let calibration = Calibrator::Temperature(3.0);
        let sets = [scored(2.0, 0.5), scored(-1.0, 0.25), scored(4.0, 4.0)];
        for count in 1..=3 {
            let scores: Vec<&Score> = sets.iter().take(count).collect();
            for calibration in [None, Some(&calibration)] {
                let first = read(&answers(), &scores, calibration);
                // As the database gives it back: keys in another order.
                let stored = first.logits.clone().expect("logits").to_string();
                let stored = serde_json::from_str(&stored).expect("JSON");
                let again = reread(&stored, &answers(), calibration).expect("a verdict");
                assert_eq!((first.p, first.pass, first.calibrated), (again.p, again.pass, again.calibrated));
            }
        }
    }

    #[test]
    fn simulated_annotators_give_the_mean_of_their_probabilities() {
        let (a, b) = (scored(1.0, 0.0), scored(-3.0, 0.0));
        let mean = f64::midpoint(a.p_first.expect("p"), b.p_first.expect("p"));
        let both = read(&answers(), &[&a, &b], None);
        assert!((both.p.expect("p") - mean).abs() < 1e-9, "{both:?}");
    }

    #[test]
    fn a_word_is_a_verdict_without_probability_and_nothing_is_none() {
        let calibration = Calibrator::Temperature(3.0);
        let of = |scores: &[&Score]| read(&answers(), scores, Some(&calibration));
        assert_eq!(of(&[&said(Some(0))]), Read { pass: Some(true), ..Read::default() });
        assert_eq!(of(&[&said(Some(1)), &said(None)]), Read { pass: Some(false), ..Read::default() });
        assert_eq!(of(&[&said(Some(1)), &said(Some(0))]), Read::default());
        assert_eq!(of(&[&said(None)]), Read::default());
        assert_eq!(of(&[]), Read::default());
    }
}
