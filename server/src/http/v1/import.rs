//! Imports: the body goes to the intake as it comes, in constant memory.

use crate::http::HttpState;
use crate::http::extract::{Path, Query, SignedIn};
use crate::http::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router};
use concord_domain::{BehaviourKind, Capability, Error};
use concord_service::intake::{
    self, Format, ImportError, ImportOptions, ImportReport, Kind, Reject, RejectSink,
};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

/// Rejects told in the answer; the count is of all.
const REJECTS: usize = 1000;
/// The largest body: bigger files go through `concord import`, on the machine itself.
const LIMIT: usize = 4 * 1024 * 1024 * 1024;
/// How long a client may stay silent in the middle of its body.
const SILENCE: Duration = Duration::from_secs(60);

/// How to read the body.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// `jsonl` (the default), `csv`, `parquet`, `recbole`, `taobao` or `amazon`.
    format: Option<String>,
    /// Kind of behaviours that do not say theirs.
    kind: Option<String>,
    /// Ratings below are not reliable feedback; 4 if not given.
    min_rating: Option<f32>,
    /// Task of samples, labels and verdicts that do not say theirs.
    task: Option<String>,
    /// Store users, and clusters, under pseudonyms made with the server's key.
    #[serde(default)]
    pseudonymise: bool,
}

/// What an import did.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ImportResponse {
    /// Rows read.
    rows: u64,
    /// Rows that were not there before.
    new: u64,
    /// Rows that were there.
    duplicate: u64,
    /// Rows left out.
    rejected: u64,
    /// The first thousand of them.
    rejects: Vec<RejectedRow>,
    /// What else there is to know, in words.
    notes: Vec<String>,
}

/// A row that was left out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct RejectedRow {
    /// Line of the body, from 1.
    line: u64,
    /// What is wrong with it.
    reason: String,
    /// The field at fault, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

/// Imports users, items, behaviours, samples, labels or verdicts; the same rows again change nothing.
#[utoipa::path(post, path = "/import/{kind}", tag = "import",
    params(("kind" = String, Path, description = "`users`, `items`, `behaviours`, `samples`, `labels` or `verdicts`"), ImportQuery),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = ImportResponse), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn import(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(kind): Path<String>,
    Query(query): Query<ImportQuery>,
    body: Body,
) -> Result<Json<ImportResponse>, Problem> {
    actor.require(Capability::Import)?;
    let pseudonymise = query.pseudonymise;
    let mut options = options(&kind, query)?;
    if pseudonymise {
        let key = state.pseudonyms.clone();
        options.pseudonyms =
            Some(key.ok_or_else(|| Error::invalid("pseudonymise", "this server has no pseudonym key"))?);
    }
    let reader = SyncIoBridge::new(StreamReader::new(body.into_data_stream().map_err(std::io::Error::other)));
    let mut rejects = First::default();
    let report =
        intake::import(&state.pool, reader, &options, &mut rejects, |_| {}).await.map_err(problem)?;
    intake::record(&state.pool, &actor, options.kind, &report).await?;
    if let Some(why) = &report.failed {
        let counts = format!("{} new and {} duplicate rows are in", report.new, report.duplicate);
        return Err(Error::conflict("import_stopped", format!("{why}; {counts}, send the same again")).into());
    }
    Ok(Json(response(report, rejects)))
}

fn options(kind: &str, query: ImportQuery) -> Result<ImportOptions, Error> {
    let kind: Kind = kind.parse().map_err(|why| Error::invalid("kind", why))?;
    let format = query.format.as_deref().unwrap_or(Format::Jsonl.as_str());
    let format: Format = format.parse().map_err(|why| Error::invalid("format", why))?;
    let mut options = ImportOptions::new(kind, format);
    if let Some(word) = query.kind {
        let kind = BehaviourKind::parse(&word);
        options.behaviour = Some(kind.ok_or_else(|| Error::invalid("kind", "not a kind of behaviour"))?);
    }
    if let Some(task) = query.task {
        if task.is_empty() || task.chars().count() > 64 || task.chars().any(char::is_control) {
            return Err(Error::invalid("task", "1 to 64 characters"));
        }
        options.task = Some(task);
    }
    if let Some(rating) = query.min_rating {
        options.min_rating = rating;
    }
    Ok(options)
}

/// Keeps the first rejects.
#[derive(Default)]
struct First(Vec<RejectedRow>);

impl RejectSink for First {
    fn put(&mut self, reject: &Reject) -> std::io::Result<()> {
        if self.0.len() < REJECTS {
            self.0.push(RejectedRow {
                line: reject.line,
                reason: reject.reason.clone(),
                field: reject.field.clone(),
            });
        }
        Ok(())
    }
}

fn response(report: ImportReport, rejects: First) -> ImportResponse {
    let ImportReport { rows, new, duplicate, rejected, notes, .. } = report;
    ImportResponse { rows, new, duplicate, rejected, rejects: rejects.0, notes }
}

fn problem(error: ImportError) -> Problem {
    match error {
        ImportError::Store(_) | ImportError::ParserGone | ImportError::Rejects(_) => {
            let reference = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
            tracing::error!(%reference, %error, "an import failed");
            Error::Internal { reference }.into()
        }
        ImportError::DatabaseAway(_) => {
            tracing::error!(%error, "the database failed an import");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string())
        }
        ImportError::DatabaseFull => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "database_full", error.to_string())
        }
        ImportError::Read { line, .. } => Problem::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            format!(
                "the body ended, fell silent or grew too large after line {line}; what came before is in, and the same import again doubles nothing"
            ),
        ),
        unusable => Error::invalid("body", unusable.to_string()).into(),
    }
}

/// The route with the limits of its own.
pub(super) fn bounded(route: Router<HttpState>) -> Router<HttpState> {
    route.layer(RequestBodyTimeoutLayer::new(SILENCE)).layer(RequestBodyLimitLayer::new(LIMIT))
}
