//! The audit: how judges compare with people, and what may be concluded. Positive class: pass.

use serde::{Deserialize, Serialize};

/// The report's shape; it is extended, never changed.
pub const AUDIT_SCHEMA: &str = "concord.audit/1";

/// Report cards, one a task, criterion, judge and major rubric version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditReport {
    /// [`AUDIT_SCHEMA`].
    pub schema: String,
    /// Samples that changed and are not in the cards yet: counting takes a while after a large import.
    #[serde(default)]
    pub waiting: u64,
    /// In the order of task, criterion and judge.
    pub cards: Vec<Card>,
}

/// A number with its interval; where it is not estimable `est` is null and `why` says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Estimate {
    /// Point estimate.
    pub est: Option<f64>,
    /// Standard error, where the method has one.
    pub se: Option<f64>,
    /// Lower and upper end.
    pub ci: Option<(f64, f64)>,
    /// Confidence level.
    pub level: f64,
    /// How it was made.
    pub method: String,
    /// What was counted.
    pub n: u64,
    /// Why it is not estimable.
    pub why: Option<String>,
}

/// κ with the largest value its margins allow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Kappa {
    /// κ.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Largest κ these margins allow.
    pub max: Option<f64>,
}

/// What the judge is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reference {
    /// `majority` (the adjudication, else the strict majority), `unanimous`, or `adjudicated`.
    pub rule: String,
    /// Always `blind`.
    pub phase: String,
    /// Always `audit`.
    pub stream: String,
    /// People who labelled.
    pub n_raters: u64,
    /// Left out: tied, or found ambiguous by a lead.
    pub n_tied: u64,
    /// `enforced` by Concord, or `imported`: as the importer says.
    pub blindness: String,
}

/// The four cells: judge and people.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CellCounts<T> {
    /// Judge passes, people pass.
    pub tp: T,
    /// Judge passes, people fail.
    pub fp: T,
    /// Judge fails, people pass.
    #[serde(rename = "fn")]
    pub fn_: T,
    /// Both fail.
    pub tn: T,
}

/// A report card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Card {
    /// Task.
    pub task: String,
    /// Criterion; `*` pools all decisions, `all` asks whether a sample passes every one.
    pub criterion: String,
    /// Judge.
    pub judge: String,
    /// Newest rubric version of the major version counted.
    pub rubric: String,
    /// What the judge is compared with.
    pub reference: Reference,
    /// Decisions in the cells.
    pub n: u64,
    /// Of them, people pass.
    pub n_human_pass: u64,
    /// Of them, people fail.
    pub n_human_fail: u64,
    /// Clusters (users, else clusters, else samples) they come from.
    pub n_clusters: u64,
    /// Labelled, without a verdict of this judge.
    pub n_no_verdict: u64,
    /// Labelled, and the verdict could not be read.
    pub n_unparsed: u64,
    /// Sampling was unequal: every estimate is weighted by 1/π.
    pub weighted: bool,
    /// Counts.
    pub cells: CellCounts<u64>,
    /// Sums of 1/π; null where sampling was equal.
    pub cells_weighted: Option<CellCounts<f64>>,
    /// Share that people pass.
    pub prevalence: Estimate,
    /// Share of agreement.
    pub accuracy: Estimate,
    /// People pass, of what the judge passes.
    pub precision: Estimate,
    /// Judge passes, of what people pass.
    pub recall: Estimate,
    /// Judge fails, of what people fail: bad outputs caught.
    pub specificity: Estimate,
    /// People fail, of what the judge fails.
    pub npv: Estimate,
    /// Mean of recall and specificity.
    pub balanced_accuracy: Estimate,
    /// Harmonic mean of precision and recall.
    pub f1: Estimate,
    /// Matthews' correlation.
    pub mcc: Estimate,
    /// Cohen's κ.
    pub kappa: Kappa,
    /// Gwet's AC1.
    pub ac1: Estimate,
    /// People among themselves.
    pub humans: Humans,
    /// May the judge stand in for a person?
    pub alt_test: AltTest,
    /// Share of samples that pass, three ways.
    pub pass_rate: PassRates,
    /// Newest first.
    pub certificates: Vec<CardCertificate>,
    /// A detector a verdict class.
    pub drift: Vec<CardDrift>,
}

/// Agreement of people among themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Humans {
    /// Krippendorff's α.
    pub alpha: Estimate,
    /// Gwet's AC1.
    pub ac1: Estimate,
}

/// The alternative annotator test (Calderon, Reichart and Dror 2025).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AltTest {
    /// Allowance for the judge's cheapness.
    pub eps: f64,
    /// False discovery rate.
    pub q: f64,
    /// Share of people the judge is as good as.
    pub winning_rate: Option<f64>,
    /// Average advantage probability.
    pub advantage: Option<f64>,
    /// Winning rate of at least one half.
    pub pass: Option<bool>,
    /// One line a person.
    pub raters: Vec<AltTestRater>,
    /// Why it is not estimable.
    pub why: Option<String>,
}

/// A person in the alternative annotator test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AltTestRater {
    /// Who.
    pub rater: String,
    /// Samples shared with others and the judge.
    pub n: u64,
    /// p value.
    pub p: Option<f64>,
    /// The judge stands in for this person.
    pub rejected: bool,
}

/// Share of samples that pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PassRates {
    /// By the judge alone, on all it judged.
    pub judge: Estimate,
    /// By people alone, on what they labelled.
    pub human: Estimate,
    /// The judge's, corrected by the labels.
    pub corrected: Estimate,
    /// How it was corrected.
    pub method: String,
}

/// A certificate, or an attempt that found none, as a card shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CardCertificate {
    /// `pass` or `fail`: which verdicts may stand alone.
    pub verdict: String,
    /// `live`, `suspended`, `void`, or `none`: nothing certifiable.
    pub status: String,
    /// Allowed share of disagreement.
    pub eps: f64,
    /// Allowed probability of being wrong about that.
    pub delta: f64,
    /// From this confidence on.
    pub threshold: Option<f64>,
    /// Share of the judge's verdicts it covers.
    pub coverage: Option<f64>,
    /// Labels it rests on.
    pub n: u64,
    /// Disagreements among them.
    pub errors: u64,
    /// Upper bound of the disagreement.
    pub ucb: Option<f64>,
    /// Which attempt on these labels; 0: on labels unseen by earlier ones.
    pub attempt: u32,
    /// Why there is none, or why it ended.
    pub why: Option<String>,
}

/// A drift detector as a card shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CardDrift {
    /// `pass` or `fail`.
    pub verdict: String,
    /// Agreement it holds the judge to.
    pub p0: f64,
    /// e-SR statistic.
    pub statistic: f64,
    /// Alarm line: the average run length to a false alarm is at least this.
    pub alarm_at: f64,
    /// `ok`, `warning` or `alarm`.
    pub state: String,
    /// Labels read.
    pub n: u64,
}

/// Which cards.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct AuditFilter {
    /// Task.
    pub task: Option<String>,
    /// Criterion, `*` or `all`.
    pub criterion: Option<String>,
    /// Judge.
    pub judge: Option<String>,
    /// `majority` (default), `unanimous` or `adjudicated`.
    pub reference: Option<String>,
}

/// What to certify. Grid and starts are drawn from unlabelled data before any label is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertificateRequest {
    /// Task.
    pub task: String,
    /// Criterion, or `all`: passes every one.
    pub criterion: String,
    /// Judge.
    pub judge: String,
    /// `pass`, `fail`, or both; δ is shared between them.
    pub verdicts: Vec<String>,
    /// Allowed share of disagreement, 0..0.5.
    pub eps: f64,
    /// Allowed probability of being wrong about that, 0..0.5.
    pub delta: f64,
    /// Use only labels that no earlier attempt has read, and with them all of δ.
    #[serde(default)]
    pub unseen_only: bool,
    /// What the lead states of imported labels; without it they certify nothing.
    #[serde(default)]
    pub statement: Option<Statement>,
}

/// What a lead states, by name, of labels that were not given in Concord.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Statement {
    /// The labelled samples are a uniform sample of the judged ones.
    pub uniform: bool,
    /// The people did not see the verdicts.
    pub blind: bool,
}

/// A certificate with all that stands behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Certificate {
    /// Id of the attempt, and of the certificate if there is one.
    pub id: uuid::Uuid,
    /// Task.
    pub task: String,
    /// Criterion or `all`.
    pub criterion: String,
    /// Judge.
    pub judge: String,
    /// Rubric version.
    pub rubric: String,
    /// What a card shows of it.
    #[serde(flatten)]
    pub shown: CardCertificate,
    /// Of δ, what this attempt may use.
    pub delta_spent: f64,
    /// Thresholds tried, strictest first.
    pub grid: Vec<f64>,
    /// `unlabelled` or `fixed`: where the grid comes from.
    pub grid_from: String,
    /// Places in the grid where the chains start.
    pub starts: Vec<u32>,
    /// Verdicts the grid was drawn from.
    pub pool: u64,
    /// What a lead stated of imported labels, and who.
    pub statement: Option<String>,
    /// Where each chain stopped: threshold, n, errors, p.
    pub chains: Vec<Chain>,
    /// Labels that would be needed in all if errors stay at this rate; null where no number would do.
    pub labels_needed: Option<u64>,
    /// What it has accepted, and what came of that.
    pub acts: CertificateActs,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub at: jiff::Timestamp,
    /// When it ended.
    pub ended_at: Option<jiff::Timestamp>,
}

/// What a certificate has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertificateActs {
    /// Samples it has accepted, alone or with others.
    pub accepted: u64,
    /// Of them back with people, because it ended.
    pub reopened: u64,
    /// Of the accepted with people's blind answers: the audit floor, and what was reopened.
    pub audited: u64,
    /// Of those, where people's majority differs.
    pub errors: u64,
    /// When it last accepted one.
    pub last: Option<jiff::Timestamp>,
}

/// Where a chain of the fixed-sequence test stopped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Chain {
    /// Threshold of the first test that failed; null where none did.
    pub threshold: Option<f64>,
    /// Labels there.
    pub n: u64,
    /// Disagreements there.
    pub errors: u64,
    /// p value there.
    pub p: f64,
}

/// A drift monitor with its chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DriftMonitor {
    /// Its id.
    pub id: uuid::Uuid,
    /// Task.
    pub task: String,
    /// Criterion.
    pub criterion: String,
    /// Judge.
    pub judge: String,
    /// What a card shows of it.
    #[serde(flatten)]
    pub shown: CardDrift,
    /// Fixed-reference e-process since the start: warns at 4.
    pub e_process: f64,
    /// Agreements among the labels read.
    pub agreed: u64,
    /// Confidence sequence of the agreement, valid at all times.
    pub ci: Option<(f64, f64)>,
    /// The certificate it watches.
    pub certificate: Option<uuid::Uuid>,
    /// Only verdicts at least this sure.
    pub threshold: f64,
    /// SHA-256 of the labels read, to replay them.
    pub prefix_hash: String,
    /// When the alarm rang.
    pub alarmed_at: Option<jiff::Timestamp>,
    /// The label that rang it, counted from the start.
    pub alarm_n: Option<u64>,
    /// SHA-256 of the labels up to that one.
    pub alarm_hash: Option<String>,
    /// Its investigation.
    pub investigation: Option<uuid::Uuid>,
    /// The statistic over the labels: place, e-SR, lower and upper end of the confidence sequence.
    pub points: Vec<(u64, f64, f64, f64)>,
}

/// What an alarm opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Investigation {
    /// Its id.
    pub id: uuid::Uuid,
    /// The monitor that rang.
    pub monitor: DriftMonitor,
    /// The certificate it suspended.
    pub certificate: Option<Certificate>,
    /// When.
    pub opened_at: jiff::Timestamp,
    /// How far the relabelling is.
    pub relabelled: Relabelled,
    /// Attempts at a certificate of these verdicts since, newest first.
    pub attempts: Vec<Certificate>,
    /// What was done: what, by whom, when.
    pub steps: Vec<InvestigationStep>,
    /// When it was closed.
    pub closed_at: Option<jiff::Timestamp>,
}

/// The samples that an investigation has given to people again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Relabelled {
    /// Given to one more person.
    pub asked: u64,
    /// Answered since.
    pub answered: u64,
    /// Of those, where the new answer is the judge's.
    pub judge: u64,
    /// And where it is the first person's.
    pub first: u64,
}

/// One step of the plan relabel → recalibrate → certify.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvestigationStep {
    /// `relabel`, `recalibrate`, `certify`, `close`.
    pub step: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: jiff::Timestamp,
    /// What came of it.
    pub note: String,
}

/// A decision in the disagreement browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decision {
    /// Sample.
    pub sample: crate::SampleId,
    /// Text.
    pub text: String,
    /// Key.
    pub key: String,
    /// Language.
    pub lang: String,
    /// Criterion.
    pub criterion: String,
    /// People's answer.
    pub human: bool,
    /// People who passed it, and who did not.
    pub votes: (u32, u32),
    /// Judge's answer.
    pub judge: bool,
    /// Probability of pass.
    pub p_pass: Option<f64>,
    /// Judge's reason.
    pub rationale: Option<String>,
}

/// Which decisions, in which order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct DecisionFilter {
    /// Task.
    pub task: String,
    /// Criterion; empty: every one; `all`: whole samples, whose votes are criteria.
    #[serde(default)]
    pub criterion: String,
    /// Judge.
    pub judge: String,
    /// `tp`, `fp`, `fn`, `tn`; empty: where judge and people differ.
    #[serde(default)]
    pub cell: String,
    /// How many to leave out: pages of [`DECISIONS_A_PAGE`], surest verdicts first.
    #[serde(default)]
    pub skip: u32,
}

/// Rows of a page of decisions.
pub const DECISIONS_A_PAGE: u32 = 50;

/// How sure a judge says it is against how often it is right, in bins of equal width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reliability {
    /// Bins with labels: lower end, upper end, mean probability of pass, pass rate by people with interval.
    pub bins: Vec<ReliabilityBin>,
    /// Expected calibration error.
    pub ece: Option<f64>,
    /// Brier score.
    pub brier: Option<f64>,
    /// Area under the curve: does the probability rank pass above fail?
    pub auroc: Option<f64>,
    /// Decisions.
    pub n: u64,
}

/// A bin of the reliability diagram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReliabilityBin {
    /// Lower and upper end.
    pub range: (f64, f64),
    /// Mean probability of pass.
    pub mean_p: f64,
    /// People's pass rate.
    pub pass: Estimate,
}

/// A slice of a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Slice {
    /// `category`, `lang`, `generator` or `rater`.
    pub by: String,
    /// Which.
    pub value: String,
    /// Counts.
    pub cells: CellCounts<u64>,
    /// Agreement.
    pub accuracy: Estimate,
    /// Bad outputs caught.
    pub specificity: Estimate,
}

/// Two judges on the same samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgePair {
    /// Criterion.
    pub criterion: String,
    /// First judge.
    pub a: String,
    /// Second judge.
    pub b: String,
    /// Both right.
    pub both: u64,
    /// Only the first is right.
    pub only_a: u64,
    /// Only the second is right.
    pub only_b: u64,
    /// Both wrong.
    pub neither: u64,
    /// McNemar's exact p.
    pub p: Option<f64>,
}
