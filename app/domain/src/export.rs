//! Exports: what a policy takes, in which form, and what came of it.

use crate::{Error, ExportId, GenerationId, JobState, SampleId, TASKS};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// What training rows are for.
pub const TARGETS: [&str; 6] = ["sft_chat", "prompt_completion", "preference", "kto", "reward", "judge"];
/// Whose columns they have.
pub const LAYOUTS: [&str; 3] = ["trl", "llama_factory", "axolotl"];
/// Kinds of files.
pub const FORMATS: [&str; 2] = ["jsonl", "parquet"];
/// What may decide that a sample passes or fails.
pub const EVIDENCE: [&str; 4] = ["blind", "final", "adjudicated", "auto"];

/// An export as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// `queued`, `running`, `done`, `failed`.
    pub state: JobState,
    /// Rows written.
    pub rows: i64,
    /// Why it failed, e.g. nothing agreed.
    pub error: Option<String>,
    /// SHA-256 of the first data file.
    pub sha256: Option<String>,
    /// The policy, as TOML.
    pub policy: String,
    /// Where the files lie: a folder of the server, or an address of object storage.
    pub path: Option<String>,
    /// Its files.
    pub files: Vec<String>,
}

/// What an export takes, and how it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportPolicy {
    /// What the rows are for: `sft_chat`, `prompt_completion`, `preference`, `kto`, `reward` or `judge`.
    pub target: String,
    /// Whose columns they have: `trl`, `llama_factory`, `axolotl`.
    pub layouts: Vec<String>,
    /// `jsonl`, `parquet`.
    pub formats: Vec<String>,
    /// Tasks to take; empty takes all three.
    pub tasks: Vec<String>,
    /// Generations to take, the first one ever being 1; empty takes all.
    pub rounds: Vec<u32>,
    /// Versions of rubrics to take; empty takes all.
    pub rubrics: Vec<String>,
    /// What decides: `blind` (independent answers) or `final` (the revised answer where there is one), `adjudicated`
    /// (a lead's decision stands above answers), `auto` (a verdict under a live certificate, where nobody has
    /// answered). One word, `blind` or `final`, stands for itself and `adjudicated`.
    #[serde(deserialize_with = "one_or_more")]
    pub evidence: Vec<String>,
    /// People who must have labelled a sample.
    pub min_people: u32,
    /// `unanimous` or `majority`, on every criterion.
    pub agreement: String,
    /// Share of people that must give the same answer, above one half; where given, `agreement` is not read.
    pub min_agreement: Option<f64>,
    /// The judge must say the same.
    pub require_judge: bool,
    /// Languages to take; empty takes all.
    pub languages: Vec<String>,
    /// At most so many rows a user; 0: any number.
    pub cap_user: u32,
    /// At most so many rows of a user in one category of items; 0: any number. What names no item has none.
    pub cap_category: u32,
    /// Balances passes and fails, for `kto` and `judge`.
    pub balance: Option<Balance>,
    /// Share of users whose rows are kept apart, in `eval` files.
    pub hold_out: f64,
    /// Decides every draw.
    pub seed: u32,
    /// Put `[email]` and `[number]` in place of mail addresses and numbers of nine digits or more.
    pub redact: bool,
}

/// Rebalancing (paper §6): the rarer side whole, of the other a reservoir that prefers what is new.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Balance {
    /// Rows of the commoner side for each of the rarer.
    pub ratio: f64,
    /// The rarer side comes from so many of the newest rounds; 0: from all.
    pub rounds: u32,
    /// Days after which a row of the commoner side weighs half.
    pub half_life_days: f64,
}

impl Default for Balance {
    fn default() -> Self {
        Self { ratio: 1.5, rounds: 0, half_life_days: 30.0 }
    }
}

impl Default for ExportPolicy {
    fn default() -> Self {
        Self {
            target: "sft_chat".into(),
            layouts: vec!["trl".into()],
            formats: vec!["jsonl".into()],
            tasks: Vec::new(),
            rounds: Vec::new(),
            rubrics: Vec::new(),
            evidence: vec!["blind".into(), "adjudicated".into()],
            min_people: 1,
            agreement: "unanimous".into(),
            min_agreement: None,
            require_judge: false,
            languages: Vec::new(),
            cap_user: 0,
            cap_category: 0,
            balance: None,
            hold_out: 0.0,
            seed: 0,
            redact: false,
        }
    }
}

/// `"blind"` as it was written before there were several, or a list.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a word or a list of words")]
    enum Given {
        One(String),
        More(Vec<String>),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::One(word) => vec![word, "adjudicated".to_owned()],
        Given::More(words) => words,
    })
}

impl ExportPolicy {
    /// Whether this kind of evidence counts.
    #[must_use]
    pub fn counts(&self, evidence: &str) -> bool {
        self.evidence.iter().any(|it| it == evidence)
    }

    /// What makes the policy unusable, with the field.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<(), Error> {
        one_of("target", &self.target, &TARGETS)?;
        some_of("layouts", &self.layouts, &LAYOUTS, false)?;
        some_of("formats", &self.formats, &FORMATS, false)?;
        some_of("tasks", &self.tasks, &TASKS, true)?;
        some_of("evidence", &self.evidence, &EVIDENCE, false)?;
        one_of("agreement", &self.agreement, &["unanimous", "majority"])?;
        some_of("languages", &self.languages, &["en", "zh"], true)?;
        rule("min_people", (1..=20).contains(&self.min_people), "between 1 and 20")?;
        let share = self.min_agreement.is_none_or(|it| it > 0.5 && it <= 1.0);
        rule("min_agreement", share, "above 0.5, at most 1")?;
        rule("hold_out", (0.0..=0.5).contains(&self.hold_out), "between 0 and 0.5")?;
        rule(
            "rounds",
            self.rounds.len() <= 1_000 && !self.rounds.contains(&0),
            "numbers from 1 on, at most 1,000",
        )?;
        let versions =
            self.rubrics.len() <= 100 && self.rubrics.iter().all(|it| it.len() <= 64 && !it.contains('\0'));
        rule("rubrics", versions, "at most 100 versions, such as \"1.0\"")?;
        rule("cap_user", self.cap_user <= 1_000_000, "at most 1,000,000")?;
        rule("cap_category", self.cap_category <= 1_000_000, "at most 1,000,000")?;
        rule(
            "evidence",
            !(self.target == "judge" && self.counts("auto")),
            "a judge is not taught its own verdicts: leave out \"auto\"",
        )?;
        self.balance.map_or(Ok(()), |balance| self.check_balance(balance))
    }

    fn check_balance(&self, balance: Balance) -> Result<(), Error> {
        let two_sided = ["kto", "judge"].contains(&self.target.as_str());
        rule("balance", two_sided, "only rows that say pass or fail can be balanced: kto and judge")?;
        rule("balance.ratio", (0.1..=100.0).contains(&balance.ratio), "between 0.1 and 100")?;
        rule("balance.rounds", balance.rounds <= 1_000, "at most 1,000")?;
        let days = (0.1..=36_500.0).contains(&balance.half_life_days);
        rule("balance.half_life_days", days, "between 0.1 and 36,500")
    }
}

fn rule(field: &str, holds: bool, why: &str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::invalid(field, why)) }
}

fn one_of(field: &str, value: &str, known: &[&str]) -> Result<(), Error> {
    rule(field, known.contains(&value), &format!("one of {}", known.join(", ")))
}

fn some_of(field: &str, values: &[String], known: &[&str], may_be_empty: bool) -> Result<(), Error> {
    rule(field, may_be_empty || !values.is_empty(), &format!("at least one of {}", known.join(", ")))?;
    rule(field, values.len() <= known.len(), "each at most once")?;
    values.iter().try_for_each(|value| one_of(field, value, known))
}

/// What a policy would take now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportPreview {
    /// Rows by task.
    pub rows: Vec<(String, i64)>,
    /// Labelled samples of the train half that are not taken.
    pub left_out: i64,
    /// How many of each kind.
    pub classes: Vec<ExportClass>,
    /// Rows kept apart for evaluation.
    pub held_out: i64,
    /// Rows by characters of prompt and answer: at most so many, and how many rows.
    pub lengths: Vec<(i64, i64)>,
    /// Ten rows, drawn by the seed.
    pub samples: Vec<ExportSample>,
    /// Generations there are, by their number.
    pub rounds: Vec<(i64, GenerationId)>,
}

/// Rows of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportClass {
    /// Task.
    pub task: String,
    /// Criterion, of rows for judges.
    pub criterion: Option<String>,
    /// `pass`, `fail`, or the two grades of a ranking, such as `S > B`.
    pub class: String,
    /// What decided: `human_blind`, `human_final`, `adjudicated` or `auto`.
    pub evidence: String,
    /// How many.
    pub n: i64,
}

/// A row of a preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportSample {
    /// The sample; of a pair the one that is preferred.
    pub sample: SampleId,
    /// Task.
    pub task: String,
    /// Criterion, of rows for judges.
    pub criterion: Option<String>,
    /// Its text.
    pub text: String,
    /// Whether it passes.
    pub pass: bool,
    /// What decided.
    pub evidence: String,
    /// Of a pair, the text that is not preferred.
    pub rejected: Option<String>,
}

/// Where a sample went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SampleLineage {
    /// The sample.
    pub sample: SampleId,
    /// The generation it comes from.
    pub generation: Option<GenerationId>,
    /// The generator's call.
    pub call: Option<uuid::Uuid>,
    /// Its labels.
    pub labels: Vec<uuid::Uuid>,
    /// Its verdicts.
    pub verdicts: Vec<uuid::Uuid>,
    /// Rows of exports it is in.
    pub exports: Vec<ExportedRow>,
    /// Models that learnt from one of them.
    pub models: Vec<uuid::Uuid>,
}

/// A row of an export that holds a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportedRow {
    /// The export.
    pub export: ExportId,
    /// Its place in all rows of the export, from 1 on.
    pub row: i64,
    /// Criterion, of rows for judges.
    pub criterion: Option<String>,
    /// Whether it stands there as passing; `false` also for what a pair rejects.
    pub pass: bool,
    /// What decided; `None` in exports of earlier versions.
    pub evidence: Option<String>,
    /// In an `eval` file.
    pub held_out: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(policy: &ExportPolicy) -> String {
        match policy.check() {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_default_policy_holds_and_each_fault_names_its_field() {
        let policy = ExportPolicy::default();
        assert_eq!(policy.check(), Ok(()));
        let wrong = |change: fn(&mut ExportPolicy)| {
            let mut policy = ExportPolicy::default();
            change(&mut policy);
            field(&policy)
        };
        assert_eq!(wrong(|it| it.target = "grpo".into()), "target");
        assert_eq!(wrong(|it| it.layouts.clear()), "layouts");
        assert_eq!(wrong(|it| it.min_agreement = Some(0.5)), "min_agreement");
        assert_eq!(wrong(|it| it.min_agreement = Some(f64::NAN)), "min_agreement");
        assert_eq!(wrong(|it| it.balance = Some(Balance::default())), "balance");
        assert_eq!(wrong(|it| it.rounds = vec![0]), "rounds");
        let own_words = |it: &mut ExportPolicy| {
            it.target = "judge".into();
            it.evidence = vec!["auto".into()];
        };
        assert_eq!(wrong(own_words), "evidence");
        let ratio = |it: &mut ExportPolicy| {
            it.target = "kto".into();
            it.balance = Some(Balance { ratio: 0.0, ..Balance::default() });
        };
        assert_eq!(wrong(ratio), "balance.ratio");
    }

    #[test]
    fn a_single_word_of_evidence_brings_adjudications_and_a_list_is_literal() {
        let of = |json: &str| serde_json::from_str::<ExportPolicy>(json).map(|policy| policy.evidence);
        assert_eq!(of(r#"{"evidence":"final"}"#).unwrap(), ["final", "adjudicated"]);
        assert_eq!(of(r#"{"evidence":["blind"]}"#).unwrap(), ["blind"]);
        assert!(of(r#"{"evidence":3}"#).unwrap_err().to_string().contains("a word or a list"));
    }
}
