//! Rounds of self-training: generate, judge, label, export, train, evaluate, promote or refuse; and rounds that learn what
//! users did lately instead of what people agree on.

use crate::{Error, Estimate};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a round does, and how much of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoundPlan {
    /// Users of the train half: what people agree on of them is learnt.
    pub users: u32,
    /// Users of the audit half: both models write for them, and the gate reads what people say of it.
    pub audit_users: u32,
    /// Only users whose things are in this language (`en`, `zh`).
    pub lang: Option<String>,
    /// At most so many interests a user.
    pub interests: u32,
    /// At most so many tags a user.
    pub tags: u32,
    /// At most so many explanations a user.
    pub explanations: u32,
    /// Tokens of a user's compressed behaviour that generators and judge read, at most: shorter ones are quicker to learn.
    pub history_tokens: u32,
    /// Seed of draws, of decoding and of training.
    pub seed: u64,
    /// A trainable model of the catalogue to start from where no trained one serves; null: the one of the settings.
    pub base: Option<String>,
    /// How the model learns.
    pub training: RoundTraining,
    /// Learn what users did lately (paper §3, incremental learning); null: what people agree on.
    pub log: Option<LogLesson>,
    /// A criterion's corrected pass rate may fall by so much.
    pub criterion_margin: f64,
    /// A measure of diversity may fall by so much.
    pub diversity_margin: f64,
}

/// How a model learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoundTraining {
    /// Read at most so many tokens.
    pub tokens: u32,
    /// Packs a step.
    pub accumulate: u32,
    /// Tokens a pack; longer rows are left out.
    pub length: u32,
    /// Highest learning rate.
    pub rate: f64,
    /// Width of the adapter.
    pub rank: u32,
    /// Adapt only so many of the topmost layers; 0: all.
    pub top_layers: u32,
    /// Keep the frozen matrices in 16 bits: half the memory.
    pub bf16: bool,
}

/// What is learnt of the log: the last clicks and purchases of users, each titled thing a tag of the interest that it
/// serves (paper §3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogLesson {
    /// Days of the log, back from its newest behaviour.
    pub days: u32,
    /// Tags of a user at most, drawn at random.
    pub tags: u32,
    /// Of these, of one category by φ.
    pub per_category: u32,
}

impl Default for LogLesson {
    fn default() -> Self {
        Self { days: 14, tags: 80, per_category: 2 }
    }
}

impl Default for RoundTraining {
    fn default() -> Self {
        Self { tokens: 20_000, accumulate: 1, length: 2048, rate: 2e-4, rank: 8, top_layers: 0, bf16: false }
    }
}

impl Default for RoundPlan {
    fn default() -> Self {
        Self {
            users: 30,
            audit_users: 15,
            lang: None,
            interests: 1,
            tags: 1,
            explanations: 1,
            history_tokens: crate::HISTORY_TOKENS,
            seed: 1,
            base: None,
            training: RoundTraining::default(),
            log: None,
            criterion_margin: 0.05,
            diversity_margin: 0.05,
        }
    }
}

impl RoundPlan {
    /// The usual plan of a round that learns from the log: thirty tags a user of the audit half, as HR@30 asks for.
    #[must_use]
    pub fn from_log() -> Self {
        Self { interests: 3, tags: 30, explanations: 0, log: Some(LogLesson::default()), ..Self::default() }
    }

    /// Names of its steps, in order.
    #[must_use]
    pub fn steps(&self) -> &'static [&'static str] {
        if self.log.is_some() { &LOG_STEPS } else { &ROUND_STEPS }
    }

    /// Refuses what cannot be done.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn check(&self) -> Result<(), Error> {
        let it = &self.training;
        let whole = [
            ("users", self.users, 1..=100_000),
            ("audit_users", self.audit_users, 2..=100_000),
            ("interests", self.interests, 1..=20),
            ("tags", self.tags, 1..=60),
            ("explanations", self.explanations, 0..=50),
            ("history_tokens", self.history_tokens, 100..=32_000),
            ("training.tokens", it.tokens, 1..=2_000_000_000),
            ("training.accumulate", it.accumulate, 1..=1024),
            ("training.length", it.length, 8..=8192),
            ("training.rank", it.rank, 1..=256),
            ("training.top_layers", it.top_layers, 0..=1000),
        ];
        for (field, value, range) in whole {
            if !range.contains(&value) {
                return Err(Error::invalid(field, format!("between {} and {}", range.start(), range.end())));
            }
        }
        if !(it.rate > 0.0 && it.rate <= 1.0) {
            return Err(Error::invalid("training.rate", "above 0, at most 1"));
        }
        for (field, value) in
            [("criterion_margin", self.criterion_margin), ("diversity_margin", self.diversity_margin)]
        {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::invalid(field, "between 0 and 1"));
            }
        }
        if let Some(log) = &self.log {
            let whole = [
                ("log.days", log.days, 1..=3650),
                ("log.tags", log.tags, 1..=1000),
                ("log.per_category", log.per_category, 1..=1000),
            ];
            for (field, value, range) in whole {
                if !range.contains(&value) {
                    let why = format!("between {} and {}", range.start(), range.end());
                    return Err(Error::invalid(field, why));
                }
            }
        }
        if self.lang.as_deref().is_some_and(|lang| !matches!(lang, "en" | "zh")) {
            return Err(Error::invalid("lang", "en or zh"));
        }
        Ok(())
    }
}

/// The steps of a round, in order.
pub const ROUND_STEPS: [&str; 11] = [
    "generate",
    "judge",
    "label",
    "export",
    "train",
    "generate_new",
    "judge_new",
    "label_new",
    "decide",
    "teach_judge",
    "measure",
];

/// The steps of a round that learns from the log. Whether its tags reach the next thing is known before people are asked.
pub const LOG_STEPS: [&str; 13] = [
    "refresh",
    "gather",
    "train",
    "generate",
    "generate_new",
    "hit_rate",
    "judge",
    "label",
    "judge_new",
    "label_new",
    "decide",
    "teach_judge",
    "measure",
];

/// A round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Round {
    /// Its id.
    pub id: Uuid,
    /// Its number, from 1.
    pub number: i64,
    /// What it does.
    pub plan: RoundPlan,
    /// `open`, `done`, `failed` or `stopped`.
    pub state: String,
    /// Why it failed.
    pub why: Option<String>,
    /// Who started it.
    pub by: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its steps.
    pub steps: Vec<RoundStep>,
    /// What it has cost so far.
    pub cost: RoundCost,
}

impl Round {
    /// A step by its name.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&RoundStep> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// An id that a step stored.
    #[must_use]
    pub fn made(&self, step: &str, what: &str) -> Option<Uuid> {
        self.step(step)?.detail[what].as_str()?.parse().ok()
    }

    /// HR@30 of both models, once a round that learns from the log has it.
    #[must_use]
    pub fn hit_rate(&self) -> Option<HitRate> {
        serde_json::from_value(self.step("hit_rate")?.detail["hit_rate"].clone()).ok()
    }

    /// What was measured at its end.
    #[must_use]
    pub fn measured(&self) -> Vec<RoundMeasure> {
        let measured = self.step("measure").map(|step| step.detail["measures"].clone());
        measured.and_then(|it| serde_json::from_value(it).ok()).unwrap_or_default()
    }
}

/// A step of a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoundStep {
    /// One of [`ROUND_STEPS`] or [`LOG_STEPS`].
    pub name: String,
    /// `open`, `running`, `people` (it waits for them), `done`, `skipped` or `failed`.
    pub state: String,
    /// How far it is, or why it was skipped or failed.
    pub message: Option<String>,
    /// Ids and numbers of what it made.
    pub detail: serde_json::Value,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// What a round has cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoundCost {
    /// Calls of the generator.
    pub calls: i64,
    /// Tokens that generators read.
    pub prompt_tokens: i64,
    /// Tokens that they wrote.
    pub output_tokens: i64,
    /// Seconds that they worked.
    pub generator_seconds: f64,
    /// Tokens that the judge read.
    pub judge_tokens: i64,
    /// Seconds that it worked.
    pub judge_seconds: f64,
    /// Labels that people gave.
    pub labels: i64,
    /// Tokens that training read.
    pub training_tokens: i64,
}

/// A judge and a task's samples, on all labels of the audit half at the end of a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoundMeasure {
    /// Task.
    pub task: String,
    /// `*`: every decision; `all`: whole samples.
    pub criterion: String,
    /// The judge.
    pub judge: String,
    /// κ.
    pub kappa: Estimate,
    /// Share of what people fail that the judge fails.
    pub specificity: Estimate,
    /// Pass rate of the samples, corrected by labels.
    pub pass_rate: Estimate,
    /// Labels a model that show a gain of 5 points from there with probability .8; null where no gain is left.
    #[serde(default)]
    pub labels_for_5: Option<u64>,
    /// The same for 10 points.
    #[serde(default)]
    pub labels_for_10: Option<u64>,
}

/// HR@30 (paper §3): the share of users of the audit half the category of whose next thing is among the categories of up
/// to thirty tags. Their last day was kept from both models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HitRate {
    /// Of the model that serves.
    pub before: Estimate,
    /// Of the new one.
    pub after: Estimate,
    /// The difference, the same users, resampled.
    pub gain: Estimate,
    /// Mean tags a user that count, before and after.
    pub tags: [f64; 2],
}

/// Rounds that start by themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoundSchedule {
    /// What each does.
    #[serde(default = "RoundPlan::from_log")]
    pub plan: RoundPlan,
    /// Days from one to the next.
    #[serde(default = "fourteen")]
    pub every_days: u32,
    /// When the next one is due; it waits for one that is open. Null on the way in: now.
    #[serde(default)]
    pub next_at: Option<Timestamp>,
    /// Who asked for it; their rights count when it starts.
    #[serde(default)]
    pub by: Option<String>,
}

fn fourteen() -> u32 {
    14
}

impl Default for RoundSchedule {
    fn default() -> Self {
        Self { plan: RoundPlan::from_log(), every_days: fourteen(), next_at: None, by: None }
    }
}

impl RoundSchedule {
    /// Refuses what cannot be done.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn check(&self) -> Result<(), Error> {
        if !(1..=3650).contains(&self.every_days) {
            return Err(Error::invalid("every_days", "between 1 and 3650"));
        }
        self.plan.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_the_field_that_is_wrong() {
        assert_eq!(RoundPlan::default().check(), Ok(()));
        let wrong = |change: fn(&mut RoundPlan)| {
            let mut plan = RoundPlan::default();
            change(&mut plan);
            match plan.check() {
                Err(Error::Invalid { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wrong(|it| it.audit_users = 1), "audit_users");
        assert_eq!(wrong(|it| it.history_tokens = 10), "history_tokens");
        assert_eq!(wrong(|it| it.training.rate = f64::NAN), "training.rate");
        assert_eq!(wrong(|it| it.training.length = 0), "training.length");
        assert_eq!(wrong(|it| it.lang = Some("fr".into())), "lang");
        assert_eq!(wrong(|it| it.criterion_margin = 2.0), "criterion_margin");
        assert_eq!(wrong(|it| it.log = Some(LogLesson { days: 0, ..LogLesson::default() })), "log.days");
    }

    #[test]
    fn a_schedule_learns_from_the_last_fourteen_days_every_fourteen_days() {
        let usual: RoundSchedule = serde_json::from_str("{}").expect("the usual");
        assert_eq!((usual.every_days, usual.plan.log.clone()), (14, Some(LogLesson::default())));
        assert_eq!((usual.plan.tags, usual.plan.steps()[0], usual.check()), (30, "refresh", Ok(())));
        let never = RoundSchedule { every_days: 0, ..usual };
        assert!(matches!(never.check(), Err(Error::Invalid { field, .. }) if field == "every_days"));
    }
}
