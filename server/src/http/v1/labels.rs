//! The label log as JSON lines, read page by page while it is sent.

use crate::http::HttpState;
use crate::http::extract::{Query, SignedIn};
use crate::http::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use concord_domain::api::Review;
use concord_domain::{Actor, Error, LabelRecord};
use futures::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use std::sync::Arc;

/// Lines read at once.
const PAGE: u32 = 1000;

/// Which labels.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LabelsQuery {
    /// Only of this task.
    task: Option<String>,
    /// Only after this `seq`.
    after: Option<i64>,
}

/// Every label, oldest first, a JSON object a line.
#[utoipa::path(get, path = "/labels", tag = "labels", params(LabelsQuery), responses(
    (status = 200, body = LabelRecord, content_type = "application/x-ndjson"),
    (status = 403, body = Problem),
))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<LabelsQuery>,
) -> Result<Response, Problem> {
    let log = Log { review: state.use_cases.review, actor, task: query.task };
    // The first page before the first byte, so that a refusal is still a refusal.
    let first = log.page(query.after).await?;
    let body = Body::from_stream(log.lines(first));
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

struct Log {
    review: Arc<dyn Review>,
    actor: Actor,
    task: Option<String>,
}

impl Log {
    async fn page(&self, after: Option<i64>) -> Result<Vec<LabelRecord>, Error> {
        self.review.labels(&self.actor, self.task.as_deref(), after, PAGE).await
    }

    /// The first page and all that follow; an error ends the connection, so that half a log is not taken
    /// for a whole one.
    fn lines(self, first: Vec<LabelRecord>) -> impl Stream<Item = Result<Vec<u8>, Error>> {
        let rest = stream::try_unfold((self, first.last().map(|label| label.seq)), async |(log, after)| {
            let Some(after) = after else { return Ok(None) };
            let page = log.page(Some(after)).await?;
            let last = page.last().map(|label| label.seq);
            Ok(last.is_some().then(|| (ndjson(&page), (log, last))))
        });
        stream::once(async move { Ok(ndjson(&first)) }).chain(rest)
    }
}

fn ndjson(labels: &[LabelRecord]) -> Vec<u8> {
    labels.iter().fold(Vec::new(), |mut out, label| {
        if let Ok(line) = serde_json::to_vec(label) {
            out.extend(line);
            out.push(b'\n');
        }
        out
    })
}
