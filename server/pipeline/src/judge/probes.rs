//! Probes of a judge: a sample changed so that it must fail, or so that nothing should change. Pure: a sample in,
//! another sample out, which is asked about and never stored.

use crate::PipelineError;
use crate::prompt::fill;
use concord_domain::{Criterion, Sample};
use jiff::civil::Date;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::collections::BTreeMap;

const FILE: &str = "prompts/probes.toml";
const TEXT: &str = include_str!("../../../../models/prompts/probes.toml");

/// A kind of probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// Another user's text in this user's place.
    OtherUser,
    /// Said to be for a season half a year off.
    WrongSeason,
    /// A reason or claim that nothing given supports.
    InventedEvidence,
    /// Neutral text appended.
    Padding,
    /// The same evidence in another order.
    Order,
}

impl Probe {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::OtherUser, Self::WrongSeason, Self::InventedEvidence, Self::Padding, Self::Order];

    /// Its word in the database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherUser => "other_user",
            Self::WrongSeason => "wrong_season",
            Self::InventedEvidence => "invented_evidence",
            Self::Padding => "padding",
            Self::Order => "order",
        }
    }
}

#[derive(Debug, Deserialize)]
struct File {
    must_fail: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    words: BTreeMap<String, Words>,
}

#[derive(Debug, Deserialize)]
struct Words {
    summer: BTreeMap<String, String>,
    winter: BTreeMap<String, String>,
    invented_reason: String,
    invented_claim: String,
    padding: String,
}

/// What judges are probed with.
#[derive(Debug)]
pub struct Probes {
    file: File,
}

impl Probes {
    /// As shipped.
    ///
    /// # Errors
    /// [`PipelineError::BadFile`].
    pub fn shipped() -> Result<Self, PipelineError> {
        let file = toml::from_str(TEXT);
        let file = file.map_err(|error| PipelineError::BadFile { file: FILE, why: error.to_string() })?;
        Ok(Self { file })
    }

    /// Whether this criterion of a task has to fail what the probe plants. Never for changes that should change
    /// nothing.
    #[must_use]
    pub fn must_fail(&self, probe: Probe, task: &str, criterion: &Criterion) -> bool {
        let Some(tasks) = self.file.must_fail.get(probe.as_str()) else { return false };
        match tasks.get(task) {
            Some(criteria) => criteria.contains(&criterion.name),
            None => probe == Probe::OtherUser && !concord_domain::TASKS.contains(&task),
        }
    }

    /// The changed sample; `None` where this kind does not apply: no donor, no date, nothing to put in another
    /// order, no evidence to invent.
    #[must_use]
    pub fn change(&self, probe: Probe, sample: &Sample, donor: Option<&Sample>, seed: u64) -> Option<Sample> {
        let words = self.file.words.get(sample.lang.as_str()).or_else(|| self.file.words.get("en"))?;
        let mut changed = sample.clone();
        match probe {
            Probe::OtherUser => {
                let donor = donor?;
                changed.text.clone_from(&donor.text);
                changed.reason.clone_from(&donor.reason);
            }
            Probe::WrongSeason => {
                let templates = if is_winter(sample.history.as_of?)? { &words.summer } else { &words.winter };
                changed.text = fill(templates.get(&sample.task)?, &[("text", &sample.text)]);
            }
            Probe::InventedEvidence => match sample.task.as_str() {
                "interest" => changed.reason = Some(words.invented_reason.clone()),
                "explanation" => changed.text = fill(&words.invented_claim, &[("text", &sample.text)]),
                _ => return None,
            },
            Probe::Padding => changed.text = format!("{} {}", sample.text, words.padding),
            Probe::Order => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                changed.history.lines.shuffle(&mut rng);
                changed.context.shuffle(&mut rng);
            }
        }
        (changed != *sample).then_some(changed)
    }
}

/// Winter or summer; in spring and autumn neither is wrong enough.
fn is_winter(date: Date) -> Option<bool> {
    match date.month() {
        11 | 12 | 1 | 2 => Some(true),
        5..=8 => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use concord_domain::{History, HistoryLine, SampleId};

    fn sample(task: &str, lang: &str) -> Sample {
        let line =
            |n: u32| HistoryLine { n, moments: Vec::new(), things: Vec::new(), behaviours: Vec::new() };
        Sample {
            id: SampleId(uuid()),
            key: "k".into(),
            task: task.into(),
            text: "fly fishing".into(),
            lang: lang.into(),
            reason: Some("three rods".into()),
            stage: None,
            chain: Vec::new(),
            evidence: vec![1],
            user: None,
            history: History {
                as_of: Some("2026-12-01".parse().unwrap()),
                lines: (1..=8).map(line).collect(),
                ..History::default()
            },
            context: Vec::new(),
        }
    }

    fn uuid() -> uuid::Uuid {
        uuid::Uuid::nil()
    }

    #[test]
    fn negatives_change_the_text_or_the_reason_and_neutral_changes_keep_both_sides() {
        let probes = Probes::shipped().unwrap();
        for lang in ["en", "zh"] {
            for task in concord_domain::TASKS {
                let (of, mut donor) = (sample(task, lang), sample(task, lang));
                donor.text = "knitting".into();
                donor.reason = Some("wool".into());
                for probe in Probe::ALL {
                    let Some(changed) = probes.change(probe, &of, Some(&donor), 3) else { continue };
                    assert_eq!((changed.id, &changed.chain), (of.id, &of.chain));
                    match probe {
                        Probe::OtherUser => assert_eq!(changed.text, "knitting"),
                        Probe::Padding => assert!(changed.text.starts_with("fly fishing "), "{changed:?}"),
                        Probe::Order => {
                            let mut lines = changed.history.lines.clone();
                            lines.sort_by_key(|line| line.n);
                            assert_eq!(lines, of.history.lines, "the same lines with the numbers they had");
                            assert_ne!(changed.history.lines, of.history.lines);
                        }
                        Probe::WrongSeason | Probe::InventedEvidence => {
                            assert!(changed.text != of.text || changed.reason != of.reason, "{probe:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_apply_is_not_made_up() {
        let probes = Probes::shipped().unwrap();
        let mut of = sample("tag", "en");
        assert_eq!(probes.change(Probe::OtherUser, &of, None, 1), None);
        assert_eq!(probes.change(Probe::InventedEvidence, &of, None, 1), None);
        of.history.as_of = Some("2026-04-01".parse().unwrap());
        assert_eq!(probes.change(Probe::WrongSeason, &of, None, 1), None);
        of.history.lines.truncate(1);
        assert_eq!(probes.change(Probe::Order, &of, None, 1), None);
    }

    #[test]
    fn every_criterion_named_exists() {
        let probes = Probes::shipped().unwrap();
        let rubrics = crate::rubrics::shipped().unwrap();
        for (kind, tasks) in &probes.file.must_fail {
            assert!(Probe::ALL.iter().any(|probe| probe.as_str() == kind), "{kind}");
            for (task, criteria) in tasks {
                for name in criteria {
                    let known = rubrics.iter().any(|it| it.task == *task && it.criterion(name).is_some());
                    assert!(known, "{kind} {task} {name}");
                }
            }
        }
    }
}
