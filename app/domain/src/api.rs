//! The use cases, as pages and REST handlers call them and the service crate implements them.
//!
//! Every method takes the [`Actor`] first and authorises before it reads anything.

use crate::*;
use async_trait::async_trait;

/// A result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// Signing in and out, accounts and tokens.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Checks the password and opens a session; gives the secret for the cookie. `from`: the network address that
    /// asks, whose failures are counted.
    async fn sign_in(
        &self,
        email: &str,
        password: &str,
        from: Option<std::net::IpAddr>,
    ) -> Result<(Actor, String)>;
    /// Ends the session.
    async fn sign_out(&self, session_secret: &str) -> Result<()>;
    /// Who this session is; `None` when it has ended.
    async fn by_session(&self, session_secret: &str) -> Result<Option<Actor>>;
    /// Who this bearer token is, with its scopes.
    async fn by_token(&self, token: &str) -> Result<Option<Actor>>;
    /// Ends every session of one's account; gives how many there were.
    async fn sign_out_everywhere(&self, actor: &Actor) -> Result<u64>;
    /// How many sessions of one's account there are.
    async fn sessions(&self, actor: &Actor) -> Result<u64>;
    /// One's own tokens that have not ended, newest first.
    async fn tokens(&self, actor: &Actor) -> Result<Vec<Token>>;
    /// Makes a token for one's own account; the answer alone holds its secret.
    async fn make_token(&self, actor: &Actor, new: NewToken) -> Result<Token>;
    /// Takes a token of one's own back, at once.
    async fn revoke_token(&self, actor: &Actor, id: uuid::Uuid) -> Result<()>;
    /// Invitations that wait, newest first (administrators).
    async fn invitations(&self, actor: &Actor) -> Result<Vec<Invitation>>;
    /// Invites somebody; the answer alone holds the link.
    async fn invite(&self, actor: &Actor, new: NewInvitation) -> Result<Invitation>;
    /// Withdraws an invitation.
    async fn withdraw_invitation(&self, actor: &Actor, id: uuid::Uuid) -> Result<()>;
    /// The invitation of a link, for whoever has it.
    async fn invited(&self, code: &str) -> Result<Invitation>;
    /// Uses an invitation's link up: makes the account with this password and opens a session.
    async fn join(&self, code: &str, password: String) -> Result<(Actor, String)>;
    /// The host of the OpenID Connect provider that people may sign in with.
    fn provider(&self) -> Option<String>;
    /// Begins signing in with it; `back`: the address here that it sends the person back to.
    async fn depart(&self, back: &str) -> Result<Departure>;
    /// Ends it: checks what the provider says of the person, and opens a session.
    async fn arrive(&self, arrival: Arrival, from: Option<std::net::IpAddr>) -> Result<(Actor, String)>;
}

/// Blind-first review.
#[async_trait]
pub trait Review: Send + Sync {
    /// Leases up to `count` (1..=4) samples; leases this person already holds and has not answered come first.
    async fn next(&self, actor: &Actor, task: Option<&str>, count: u32) -> Result<Vec<Assignment>>;
    /// Stores a submission once; the same key and body again gives the same answer.
    async fn submit(
        &self,
        actor: &Actor,
        id: AssignmentId,
        key: &str,
        submission: Submission,
    ) -> Result<Submitted>;
    /// Shows the verdicts, once the blind answers are stored, and logs that they were seen.
    async fn reveal(&self, actor: &Actor, id: AssignmentId) -> Result<Reveal>;
    /// Gives the sample back with a reason.
    async fn skip(&self, actor: &Actor, id: AssignmentId, reason: &str) -> Result<()>;
    /// Gives the sample back and puts it on the leads' list with what one cannot decide.
    async fn escalate(&self, actor: &Actor, id: AssignmentId, reason: &str) -> Result<()>;
    /// An assignment of one's own with the answers stored so far, to go back to it (revision).
    async fn reopen(&self, actor: &Actor, id: AssignmentId) -> Result<(Assignment, Vec<Answer>)>;
    /// One's own last finished samples, newest first.
    async fn recent(&self, actor: &Actor, limit: u32) -> Result<Vec<Reviewed>>;
    /// The label log after `after`, oldest first, at most `limit` lines (leads).
    async fn labels(
        &self,
        actor: &Actor,
        task: Option<&str>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<LabelRecord>>;
    /// The current rubric of a task.
    async fn rubric(&self, actor: &Actor, task: &str) -> Result<Rubric>;
    /// One's own day.
    async fn progress(&self, actor: &Actor) -> Result<MyProgress>;
    /// How the review of a task is run.
    async fn programme(&self, actor: &Actor, task: &str) -> Result<Programme>;
    /// Changes how the review of a task is run.
    async fn set_programme(&self, actor: &Actor, task: &str, programme: Programme) -> Result<Programme>;
}

/// The review programme beside the queue: gold questions, and how people do on them.
#[async_trait]
pub trait Programmes: Send + Sync {
    /// Marks a sample as a gold question with its right answers, or gives it others (leads).
    async fn set_gold(&self, actor: &Actor, sample: SampleId, request: GoldRequest) -> Result<GoldQuestion>;
    /// Serves it no longer; what was answered stays.
    async fn retire_gold(&self, actor: &Actor, sample: SampleId) -> Result<()>;
    /// Gold questions of a task, or of all, newest first.
    async fn gold(&self, actor: &Actor, task: Option<&str>) -> Result<Vec<GoldQuestion>>;
    /// Everybody's record on gold questions and repeats.
    async fn records(&self, actor: &Actor) -> Result<Vec<RaterRecord>>;
    /// Escalations, those that wait longest first; `open`: without those that have ended (leads).
    async fn escalations(&self, actor: &Actor, open: bool) -> Result<Vec<Escalation>>;
    /// Ends an escalation: by a change of the guideline, or by a "won't" with a reason.
    async fn resolve_escalation(
        &self,
        actor: &Actor,
        id: uuid::Uuid,
        outcome: EscalationOutcome,
    ) -> Result<()>;
    /// What seeing verdicts does to people, by task and judge (leads).
    async fn anchoring(&self, actor: &Actor) -> Result<Vec<Anchoring>>;
    /// One's own pace, record and last samples.
    async fn own_work(&self, actor: &Actor) -> Result<OwnWork>;
}

/// Looking at samples.
#[async_trait]
pub trait Samples: Send + Sync {
    /// A page of the list. To a lead it shows verdicts, and logs that they were seen.
    async fn list(&self, actor: &Actor, filter: SampleFilter) -> Result<SamplePage>;
    /// One sample. Verdicts only for leads, or after one's own blind answer; the view is logged.
    async fn get(&self, actor: &Actor, id: SampleId) -> Result<SampleDetail>;
}

/// Generation, judging and other slow work.
#[async_trait]
pub trait Work: Send + Sync {
    /// The home page.
    async fn overview(&self, actor: &Actor) -> Result<Overview>;
    /// Starts a generation; its samples are judged as they come.
    async fn generate(&self, actor: &Actor, request: GenerationRequest) -> Result<Generation>;
    /// A generation.
    async fn generation(&self, actor: &Actor, id: GenerationId) -> Result<Generation>;
    /// Generations, newest first.
    async fn generations(&self, actor: &Actor) -> Result<Vec<Generation>>;
    /// Jobs that wait, run or failed, newest first.
    async fn jobs(&self, actor: &Actor) -> Result<Vec<Job>>;
    /// Cancels a job that has not ended.
    async fn cancel(&self, actor: &Actor, id: JobId) -> Result<()>;
}

/// What people steer of the pipeline.
#[async_trait]
pub trait Pipeline: Send + Sync {
    /// The preset interest pool, those taken out too.
    async fn presets(&self, actor: &Actor) -> Result<Vec<PresetInterest>>;
    /// Adds a preset for each category of the catalogue that has none; gives how many are new.
    async fn build_presets(&self, actor: &Actor) -> Result<u64>;
    /// Adds one.
    async fn add_preset(&self, actor: &Actor, new: NewPreset) -> Result<PresetInterest>;
    /// Renames one, takes it out or brings it back.
    async fn change_preset(&self, actor: &Actor, id: i64, change: PresetChange) -> Result<PresetInterest>;
    /// φ for the embedder there is; `None` before it is trained.
    async fn phi(&self, actor: &Actor) -> Result<Option<PhiReport>>;
    /// Trains φ anew on the catalogue.
    async fn train_phi(&self, actor: &Actor, seed: u64) -> Result<PhiReport>;
    /// The best stored line for each of these items for a user; no model is asked.
    async fn explanations(
        &self,
        actor: &Actor,
        user: &str,
        items: Vec<String>,
    ) -> Result<Vec<ShownExplanation>>;
    /// Queues the building of the interest-item-explanation table.
    async fn build_explanations(&self, actor: &Actor, request: ExplainRequest) -> Result<JobId>;
    /// Generations as batches, newest first; or one.
    async fn batches(&self, actor: &Actor, id: Option<GenerationId>) -> Result<Vec<Batch>>;
    /// Pauses a batch, goes on, stops it, or changes its place in the queue.
    async fn steer(&self, actor: &Actor, id: GenerationId, steer: Steer) -> Result<Batch>;
}

/// The audit of judges: report cards, certificates, drift.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Report cards.
    async fn report(&self, actor: &Actor, filter: AuditFilter) -> Result<AuditReport>;
    /// A page of single decisions; whoever reads them has seen those samples' verdicts.
    async fn decisions(&self, actor: &Actor, filter: DecisionFilter) -> Result<Vec<Decision>>;
    /// How sure a judge says it is against how often it is right.
    async fn reliability(
        &self,
        actor: &Actor,
        task: &str,
        criterion: &str,
        judge: &str,
    ) -> Result<Reliability>;
    /// A card by category, language, generator and annotator.
    async fn slices(&self, actor: &Actor, task: &str, criterion: &str, judge: &str) -> Result<Vec<Slice>>;
    /// The people who label: skill, gold, consistency, time, and what they do after the reveal.
    async fn annotators(&self, actor: &Actor) -> Result<Vec<AnnotatorReport>>;
    /// Every two judges of a task on the same decisions.
    async fn pairs(&self, actor: &Actor, task: &str) -> Result<Vec<JudgePair>>;
    /// Attempts certificates, one a verdict class; an attempt that certifies nothing is one too.
    async fn certify(&self, actor: &Actor, request: CertificateRequest) -> Result<Vec<Certificate>>;
    /// Attempts and certificates, newest first; or one.
    async fn certificates(&self, actor: &Actor, id: Option<uuid::Uuid>) -> Result<Vec<Certificate>>;
    /// Ends a certificate.
    async fn void(&self, actor: &Actor, id: uuid::Uuid, why: &str) -> Result<()>;
    /// Drift monitors with their charts.
    async fn monitors(&self, actor: &Actor) -> Result<Vec<DriftMonitor>>;
    /// What alarms opened, newest first; or one.
    async fn investigations(&self, actor: &Actor, id: Option<uuid::Uuid>) -> Result<Vec<Investigation>>;
    /// Notes a step of an investigation: `relabel`, `recalibrate`, `certify` or `close`.
    async fn investigate(&self, actor: &Actor, id: uuid::Uuid, step: &str, note: &str) -> Result<()>;
    /// Gives so many samples that the alarm's monitor has read to one more person each; gives how many.
    async fn relabel(&self, actor: &Actor, id: uuid::Uuid, n: u32) -> Result<u64>;
    /// Attempts a certificate like the suspended one on labels that no attempt has read, for the same judge or
    /// another.
    async fn certify_anew(
        &self,
        actor: &Actor,
        id: uuid::Uuid,
        judge: Option<String>,
        statement: Option<Statement>,
    ) -> Result<Certificate>;
    /// Replays the label log for every open monitor, or one.
    async fn replay(&self, actor: &Actor, id: Option<uuid::Uuid>) -> Result<Vec<Replay>>;
    /// How the audit of a task is drawn.
    async fn sampling(&self, actor: &Actor, task: &str) -> Result<AuditSampling>;
    /// Changes it, for samples opened from now on.
    async fn set_sampling(&self, actor: &Actor, task: &str, to: AuditSampling) -> Result<AuditSampling>;
    /// What so many labels are best spent on, by Neyman's allocation to verdicts; changes nothing.
    async fn allocate(&self, actor: &Actor, task: &str, budget: u64) -> Result<AuditAllocation>;
}

/// Who is told of certificates and alarms.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Registered addresses, oldest first.
    async fn list(&self, actor: &Actor) -> Result<Vec<Webhook>>;
    /// Registers an address; the answer alone holds the secret.
    async fn add(&self, actor: &Actor, new: NewWebhook) -> Result<Webhook>;
    /// Takes an address off.
    async fn remove(&self, actor: &Actor, id: uuid::Uuid) -> Result<()>;
    /// Sends an address a ping.
    async fn ping(&self, actor: &Actor, id: uuid::Uuid) -> Result<()>;
    /// The newest messages, of one address or of all.
    async fn deliveries(&self, actor: &Actor, id: Option<uuid::Uuid>) -> Result<Vec<Delivery>>;
}

/// Judges: what they are made of, and how they hold up.
#[async_trait]
pub trait Judges: Send + Sync {
    /// The judge of every task; or of one.
    async fn judges(&self, actor: &Actor, task: Option<&str>) -> Result<Vec<TaskJudge>>;
    /// Draws worked examples from what people agree on in the train half; another judge from here on. Live
    /// certificates of the one before are void.
    async fn draw(&self, actor: &Actor, task: &str, request: DrawRequest) -> Result<TaskJudge>;
    /// Fits calibrations on blind labels of the train half; another judge from here on. Its verdicts are read
    /// anew from stored logits by a job.
    async fn calibrate(&self, actor: &Actor, task: &str, request: CalibrationRequest) -> Result<Calibrated>;
    /// Queues a run that trains heads on blind labels of the train half, writes their judge's verdicts from stored
    /// logits, and lets it take the place of the one that stands if the audit half says that it is better.
    async fn train_head(&self, actor: &Actor, task: &str, request: HeadRequest) -> Result<HeadRun>;
    /// Runs that trained heads of a task, newest first.
    async fn heads(&self, actor: &Actor, task: &str) -> Result<Vec<HeadRun>>;
    /// Takes the heads of a task's judge away; another judge from here on.
    async fn drop_heads(&self, actor: &Actor, task: &str) -> Result<TaskJudge>;
    /// Queues the judging of what this task's judge has not judged yet: all of it, or what people have labelled.
    async fn rejudge(&self, actor: &Actor, task: &str, labelled_only: bool) -> Result<()>;
    /// Queues a run of probes.
    async fn probe(&self, actor: &Actor, task: &str, request: ProbeRequest) -> Result<ProbeReport>;
    /// Runs of probes of a task, newest first.
    async fn probes(&self, actor: &Actor, task: &str) -> Result<Vec<ProbeReport>>;
    /// Changes how verdicts become a grade.
    async fn set_senior(&self, actor: &Actor, task: &str, rule: SeniorRule) -> Result<SeniorRule>;
}

/// Where people disagree, or people and judge do: what leads decide on.
#[async_trait]
pub trait Adjudications: Send + Sync {
    /// A page of cases; whoever reads them has seen those samples' verdicts and other people's labels.
    async fn cases(&self, actor: &Actor, filter: CaseFilter, limit: u32) -> Result<CasePage>;
    /// All there is to decide one by.
    async fn case(&self, actor: &Actor, sample: SampleId, criterion: &str) -> Result<CaseDetail>;
    /// Stores decisions, all or none. Who labelled one of the samples blind may not decide on it.
    async fn adjudicate(&self, actor: &Actor, new: Vec<NewAdjudication>) -> Result<Vec<Adjudication>>;
}

/// Rubrics: versioned, edited by leads.
#[async_trait]
pub trait Rubrics: Send + Sync {
    /// The versions of a task, newest first; of every task where none is named.
    async fn versions(&self, actor: &Actor, task: Option<&str>) -> Result<Vec<RubricVersion>>;
    /// Stores a version and makes it current. A stored version never changes. A new major version voids the
    /// certificates of its task.
    async fn publish(&self, actor: &Actor, rubric: Rubric) -> Result<RubricVersion>;
    /// The same from TOML, as the page and the files have it.
    async fn publish_toml(&self, actor: &Actor, text: &str) -> Result<RubricVersion>;
    /// What publishing this TOML would do.
    async fn preview(&self, actor: &Actor, text: &str) -> Result<RubricPreview>;
    /// Two versions of a task, line by line.
    async fn diff(&self, actor: &Actor, task: &str, from: &str, to: &str) -> Result<Vec<DiffLine>>;
    /// A version as TOML, to edit.
    async fn toml(&self, actor: &Actor, task: &str, version: &str) -> Result<String>;
}

/// Exports.
#[async_trait]
pub trait Exports: Send + Sync {
    /// What a policy would take now.
    async fn preview(&self, actor: &Actor, policy: &ExportPolicy) -> Result<ExportPreview>;
    /// Runs a policy as a job.
    async fn start(&self, actor: &Actor, policy: ExportPolicy) -> Result<Export>;
    /// Exports, newest first.
    async fn list(&self, actor: &Actor) -> Result<Vec<Export>>;
    /// The path of one file (`train.jsonl`, `manifest.json`) of a finished export in a folder, to stream.
    async fn file(&self, actor: &Actor, id: ExportId, name: &str) -> Result<std::path::PathBuf>;
    /// Where a sample comes from, and which exports and models it went into.
    async fn lineage(&self, actor: &Actor, sample: SampleId) -> Result<SampleLineage>;
}

/// Recommendations.
#[async_trait]
pub trait Recommend: Send + Sync {
    /// Keys of people with tags, those with the newest first.
    async fn people(&self, actor: &Actor) -> Result<Vec<String>>;
    /// Items for the user with this key, with what each rests on; no model is asked for a word.
    async fn recommend(
        &self,
        actor: &Actor,
        user: &str,
        request: RecommendRequest,
    ) -> Result<Recommendations>;
}

/// Models trained here, and which of them serves.
#[async_trait]
pub trait Evolve: Send + Sync {
    /// The registry, newest first.
    async fn models(&self, actor: &Actor) -> Result<Vec<TrainedModel>>;
    /// Decisions of the gate and changes of what serves, newest first.
    async fn promotions(&self, actor: &Actor) -> Result<Vec<Promotion>>;
    /// Compares a model with what serves, and promotes it or refuses it with the reasons; either is recorded.
    async fn promote(&self, actor: &Actor, id: uuid::Uuid, request: GateRequest) -> Result<Promotion>;
    /// Gives a place back to what held it before the last promotion.
    async fn roll_back(&self, actor: &Actor, place: ModelPlace) -> Result<Promotion>;
    /// Whether the logs are the demo world's, so that labels may be simulated annotators'.
    async fn demo(&self, actor: &Actor) -> Result<bool>;
    /// Runs of training, newest first; or one. Each as far as its last checkpoint.
    async fn training_runs(&self, actor: &Actor, id: Option<uuid::Uuid>) -> Result<Vec<TrainingRun>>;
    /// Rounds, newest first; or one.
    async fn rounds(&self, actor: &Actor, id: Option<uuid::Uuid>) -> Result<Vec<Round>>;
    /// Starts a round as a job.
    async fn start_round(&self, actor: &Actor, plan: RoundPlan) -> Result<Round>;
    /// The schedule by which rounds start by themselves; none where they do not.
    async fn schedule(&self, actor: &Actor) -> Result<Option<RoundSchedule>>;
    /// Lets rounds start by themselves, or not any more.
    async fn set_schedule(&self, actor: &Actor, schedule: Option<RoundSchedule>) -> Result<()>;
    /// Stops a round where it is; what it made stays.
    async fn stop_round(&self, actor: &Actor, id: uuid::Uuid) -> Result<()>;
}

/// Deletion of users.
#[async_trait]
pub trait Privacy: Send + Sync {
    /// Asks for the user with this key to be deleted everywhere; once, however often it is asked.
    async fn request_erasure(&self, actor: &Actor, user: &str) -> Result<Erasure>;
    /// Deletions, newest first, with their receipts.
    async fn erasures(&self, actor: &Actor) -> Result<Vec<Erasure>>;
}

/// All use cases, as handed to pages and handlers.
#[derive(Clone)]
pub struct UseCases {
    /// Signing in.
    pub accounts: std::sync::Arc<dyn Accounts>,
    /// Models trained here.
    pub evolve: std::sync::Arc<dyn Evolve>,
    /// Deletion of users.
    pub privacy: std::sync::Arc<dyn Privacy>,
    /// Review.
    pub review: std::sync::Arc<dyn Review>,
    /// Gold questions and people's records.
    pub programmes: std::sync::Arc<dyn Programmes>,
    /// Samples.
    pub samples: std::sync::Arc<dyn Samples>,
    /// Generation and jobs.
    pub work: std::sync::Arc<dyn Work>,
    /// The pipeline.
    pub pipeline: std::sync::Arc<dyn Pipeline>,
    /// The audit.
    pub audit: std::sync::Arc<dyn Audit>,
    /// Webhooks.
    pub webhooks: std::sync::Arc<dyn Webhooks>,
    /// Judges.
    pub judges: std::sync::Arc<dyn Judges>,
    /// Cases and adjudications.
    pub adjudications: std::sync::Arc<dyn Adjudications>,
    /// Rubrics.
    pub rubrics: std::sync::Arc<dyn Rubrics>,
    /// Exports.
    pub exports: std::sync::Arc<dyn Exports>,
    /// Recommendations.
    pub recommend: std::sync::Arc<dyn Recommend>,
}
