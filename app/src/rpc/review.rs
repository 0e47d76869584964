//! Blind-first review. Nothing here gives a verdict before the use case has the blind answers.

use crate::error::ApiError;
use concord_domain::{Answer, Assignment, AssignmentId, MyProgress, Reveal, Reviewed, Submission, Submitted};
use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};

/// Leases up to `count` samples of a task (empty: of any).
#[server(prefix = "/rpc", endpoint = "next_samples", input = Json)]
pub(crate) async fn next_samples(task: String, count: u32) -> Result<Vec<Assignment>, ApiError> {
    let (actor, cases) = super::context()?;
    let task = (!task.is_empty()).then_some(task);
    cases.review.next(&actor, task.as_deref(), count).await.map_err(crate::error::fail)
}

#[server(prefix = "/rpc", endpoint = "submit_answers", input = Json)]
pub(crate) async fn submit_answers(
    id: AssignmentId,
    key: String,
    submission: Submission,
) -> Result<Submitted, ApiError> {
    let (actor, cases) = super::context()?;
    cases.review.submit(&actor, id, &key, submission).await.map_err(crate::error::fail)
}

#[server(prefix = "/rpc", endpoint = "reveal_verdicts", input = Json)]
pub(crate) async fn reveal_verdicts(id: AssignmentId) -> Result<Reveal, ApiError> {
    let (actor, cases) = super::context()?;
    cases.review.reveal(&actor, id).await.map_err(crate::error::fail)
}

/// Gives a sample back, to the queue or to a lead.
#[server(prefix = "/rpc", endpoint = "skip_sample", input = Json)]
pub(crate) async fn skip_sample(id: AssignmentId, reason: String, escalate: bool) -> Result<(), ApiError> {
    let (actor, cases) = super::context()?;
    let done = match escalate {
        true => cases.review.escalate(&actor, id, &reason).await,
        false => cases.review.skip(&actor, id, &reason).await,
    };
    done.map_err(crate::error::fail)
}

#[server(prefix = "/rpc", endpoint = "reopen_sample", input = Json)]
pub(crate) async fn reopen_sample(id: AssignmentId) -> Result<(Assignment, Vec<Answer>), ApiError> {
    let (actor, cases) = super::context()?;
    cases.review.reopen(&actor, id).await.map_err(crate::error::fail)
}

#[server(prefix = "/rpc", endpoint = "list_recent", input = GetUrl)]
pub(crate) async fn list_recent() -> Result<Vec<Reviewed>, ApiError> {
    let (actor, cases) = super::context()?;
    cases.review.recent(&actor, 10).await.map_err(crate::error::fail)
}

#[server(prefix = "/rpc", endpoint = "get_progress", input = GetUrl)]
pub(crate) async fn get_progress() -> Result<MyProgress, ApiError> {
    let (actor, cases) = super::context()?;
    cases.review.progress(&actor).await.map_err(crate::error::fail)
}
