//! A judge's head in use: features of a sample in, a verdict out.

use super::read::{Read, probability};
use super::setup::Setup;
use crate::jobs::JobError;
use crate::judging::Judge;
use crate::lens::name_of;
use concord_agreement::calibration::{Platt, logit};
use concord_agreement::head;
use concord_domain::ports::{EmbedKind, Embedder};
use concord_domain::{Sample, SampleId};
use concord_pipeline::similar::{self, Compared};
use concord_store::heads::{self, Head as Stored};
use concord_store::samples;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};

/// What stands before a criterion's name in the name of its log-odds.
const MARGIN: &str = "margin:";

/// A head, ready to read verdicts with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    names: Vec<String>,
    made_by: String,
    head: head::Head,
}

/// A head as stored.
#[derive(Debug, Serialize, Deserialize)]
struct Parameters {
    names: Vec<String>,
    scale: Vec<(f64, f64)>,
    weights: Vec<f64>,
    trained: f64,
    truly: f64,
    a: f64,
    b: f64,
}

impl Head {
    /// From what is stored; `None` if that is no head.
    pub(crate) fn of(stored: &Stored) -> Option<Self> {
        let it: Parameters = serde_json::from_value(stored.parameters.clone()).ok()?;
        let whole = it.names.len() == it.scale.len() && it.weights.len() == it.names.len() + 1;
        let head = head::Head {
            scale: it.scale,
            weights: it.weights,
            trained: it.trained,
            truly: it.truly,
            kept: u64::try_from(stored.kept).ok()?,
            platt: Platt { a: it.a, b: it.b },
        };
        whole.then(|| Self { names: it.names, made_by: stored.made_by.clone(), head })
    }

    /// Its features with their weights, and the shares of passes in training and before.
    pub(super) fn shown(&self) -> (Vec<(String, f64)>, f64, f64) {
        let weights = self.head.weights.iter().skip(1).copied();
        (self.names.iter().cloned().zip(weights).collect(), self.head.trained, self.head.truly)
    }

    /// The verdict on a criterion, where the model gave logits for it.
    pub(crate) fn read(&self, criterion: &str, known: &Known) -> Option<Read> {
        known.margins.get(criterion)?;
        let p = self.head.probability(&known.features(&self.names)).clamp(0.0, 1.0);
        Some(Read { pass: Some(p >= 0.5), p: Some(p), calibrated: true, logits: None })
    }
}

/// As it is stored.
pub(super) fn parameters(names: &[String], of: &head::Head) -> serde_json::Value {
    serde_json::json!(Parameters {
        names: names.to_vec(),
        scale: of.scale.clone(),
        weights: of.weights.clone(),
        trained: of.trained,
        truly: of.truly,
        a: of.platt.a,
        b: of.platt.b,
    })
}

/// What frozen models say of a sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Known {
    /// Log-odds of pass by criterion.
    pub(crate) margins: BTreeMap<String, f64>,
    /// Similarities in the order of [`similar::NAMES`]; empty where none were made.
    pub(crate) similar: Vec<Option<f64>>,
}

impl Known {
    /// Takes a criterion's log-odds out of its logits.
    pub(crate) fn hear(&mut self, criterion: &str, logits: &serde_json::Value, answers: &[String]) {
        if let Some(p) = probability(logits, answers) {
            self.margins.insert(criterion.to_owned(), logit(p));
        }
    }

    /// The features of these names, in their order.
    pub(super) fn features(&self, names: &[String]) -> Vec<Option<f64>> {
        let of = |name: &String| match name.strip_prefix(MARGIN) {
            Some(criterion) => self.margins.get(criterion).copied(),
            None => {
                let place = similar::NAMES.iter().position(|it| it == name)?;
                self.similar.get(place).copied().flatten()
            }
        };
        names.iter().map(of).collect()
    }
}

/// The names of the features of a task with these criteria.
pub(super) fn names(criteria: &[String], similarities: bool) -> Vec<String> {
    let margins = criteria.iter().map(|it| format!("{MARGIN}{it}"));
    let similar = similar::NAMES.iter().filter(|_| similarities).map(|it| (*it).to_owned());
    margins.chain(similar).collect()
}

/// Who makes similarities: the embedder and the version of what is compared.
pub(super) async fn made_by(embedder: &dyn Embedder) -> Result<String, JobError> {
    Ok(format!("{} {}", name_of(embedder).await?, similar::VERSION))
}

/// The similarities of samples, made now; a text that several share is read once.
pub(crate) async fn make(
    embedder: &dyn Embedder,
    samples: &[&Sample],
) -> Result<Vec<Vec<Option<f64>>>, JobError> {
    let all: Vec<Compared> = samples.iter().map(|sample| similar::compared(sample)).collect();
    let mut texts: Vec<String> = all
        .iter()
        .flat_map(|it| it.groups.iter().flatten().chain([&it.text]))
        .filter(|text| !text.is_empty())
        .cloned()
        .collect();
    texts.sort_unstable();
    texts.dedup();
    let vectors = embedder.embed(EmbedKind::Query, texts.clone()).await?;
    let of: HashMap<&str, &Vec<f32>> = texts.iter().map(String::as_str).zip(&vectors).collect();
    let vector = |text: &String| of.get(text.as_str()).map(|it| (*it).clone());
    Ok(all
        .iter()
        .map(|it| {
            let groups = it.groups.each_ref().map(|group| group.iter().filter_map(vector).collect());
            similar::values(it, &vector(&it.text).unwrap_or_default(), &groups)
        })
        .collect())
}

/// The stored similarities of samples; those that are missing are made and stored first.
pub(super) async fn stored(
    conn: &mut PgConnection,
    embedder: &dyn Embedder,
    made_by: &str,
    ids: &[SampleId],
) -> Result<HashMap<SampleId, Vec<Option<f64>>>, JobError> {
    let mut found: HashMap<SampleId, Vec<Option<f64>>> =
        heads::similarities(conn, made_by, ids).await?.into_iter().collect();
    let missing: Vec<SampleId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    let loaded = samples::load(conn, &missing).await?;
    let texts: Vec<&Sample> = loaded.iter().map(|it| &it.sample).collect();
    for (sample, numbers) in texts.iter().zip(make(embedder, &texts).await?) {
        heads::insert_similarities(conn, sample.id, made_by, &numbers).await?;
        found.insert(sample.id, numbers);
    }
    Ok(found)
}

impl Setup {
    /// Who made the similarities that its heads read; `None` where none reads any.
    pub(crate) fn made_by(&self) -> Option<&str> {
        self.heads.values().map(|it| it.made_by.as_str()).find(|it| !it.is_empty())
    }

    /// A criterion's verdict: the head's where there is one and the model gave logits, else as `plain` reads it.
    pub(crate) fn verdict(&self, criterion: &str, known: &Known, plain: Read) -> Read {
        match self.heads.get(criterion).and_then(|head| head.read(criterion, known)) {
            Some(read) => Read { logits: plain.logits, ..read },
            None => plain,
        }
    }
}

impl Judge {
    /// The similarities that a judge's heads read, of samples that may not be stored; empty where they read none.
    pub(crate) async fn similarities(
        &self,
        setup: &Setup,
        samples: &[&Sample],
    ) -> Result<Vec<Vec<Option<f64>>>, JobError> {
        match setup.made_by() {
            None => Ok(vec![Vec::new(); samples.len()]),
            Some(_) => make(&*self.models.embedder, samples).await,
        }
    }

    /// The judge of a task as it is made now. Where the embedder is another one than its heads were trained with, it
    /// has none from here on.
    pub(crate) async fn setup(&self, conn: &mut PgConnection, task: &str) -> Result<Setup, JobError> {
        let info = self.models.judge.info().await?;
        let setup = super::setup::current(conn, task, &info).await?;
        match setup.made_by() {
            Some(wanted) if made_by(&*self.models.embedder).await? != wanted => {
                Ok(super::setup::without_heads(conn, task, &info, "model", None).await?)
            }
            _ => Ok(setup),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_head_is_the_one_that_was_trained() {
        let names = names(&["relevance".into(), "validity".into()], true);
        let width = names.len();
        let fraction = |n: usize| 1.0 / (n as f64 + 3.0);
        let trained = head::Head {
            scale: (0..width).map(|n| (fraction(n), fraction(n + 1))).collect(),
            weights: (0..=width).map(fraction).collect(),
            trained: 0.4,
            truly: 0.812_345_678_901_234_5,
            kept: 77,
            platt: Platt { a: -1.234_567_890_123_4, b: 0.1 },
        };
        let text = parameters(&names, &trained).to_string();
        let stored = Stored {
            id: uuid::Uuid::nil(),
            criterion: "relevance".into(),
            made_by: "e@1 similar/1".into(),
            parameters: serde_json::from_str(&text).expect("JSON"),
            n: 100,
            n_pass: 80,
            n_clusters: 90,
            kept: 77,
            before: serde_json::Value::Null,
            after: serde_json::Value::Null,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let head = Head::of(&stored).expect("a head");
        // Reading a number back may cost its last bit.
        let numbers = |it: &head::Head| -> Vec<f64> {
            let scale = it.scale.iter().flat_map(|(a, b)| [*a, *b]);
            scale.chain(it.weights.clone()).chain([it.trained, it.truly, it.platt.a, it.platt.b]).collect()
        };
        let (read, told) = (numbers(&head.head), numbers(&trained));
        assert_eq!((read.len(), head.head.kept), (told.len(), trained.kept));
        assert!(
            read.iter().zip(&told).all(|(a, b)| (a - b).abs() <= 2.0 * f64::EPSILON * b.abs()),
            "{read:?}"
        );
        let mut known = Known::default();
        assert_eq!(head.read("relevance", &known), None, "no logits, no head");
        known.hear("relevance", &serde_json::json!({"Yes": 2.0, "No": 1.0}), &["Yes".into(), "No".into()]);
        let read = head.read("relevance", &known).expect("a verdict");
        let features: Vec<Option<f64>> =
            names.iter().map(|it| (it == "margin:relevance").then_some(1.0)).collect();
        assert!((read.p.expect("p") - trained.probability(&features)).abs() < 1e-12);
        let short = Stored { parameters: serde_json::json!({"names": []}), ..stored };
        assert_eq!(Head::of(&short), None);
    }
}
