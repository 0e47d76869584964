//! Exports: what a policy would take, writing it as a job, and the files.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, SignedIn};
use crate::http::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use concord_domain::{Error, Export, ExportId, ExportPolicy, ExportPreview, SampleId, SampleLineage};
use tokio_util::io::ReaderStream;

/// What a policy would take now.
#[utoipa::path(post, path = "/exports/preview", tag = "exports", request_body = ExportPolicy,
    responses((status = 200, body = ExportPreview), (status = 422, body = Problem)))]
pub(super) async fn preview(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(policy): Json<ExportPolicy>,
) -> Result<axum::Json<ExportPreview>, Problem> {
    Ok(axum::Json(state.use_cases.exports.preview(&actor, &policy).await?))
}

/// Runs a policy as a job.
#[utoipa::path(post, path = "/exports", tag = "exports", request_body = ExportPolicy,
    responses((status = 202, body = Export), (status = 422, body = Problem)))]
pub(super) async fn start(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(policy): Json<ExportPolicy>,
) -> Result<(StatusCode, axum::Json<Export>), Problem> {
    Ok((StatusCode::ACCEPTED, axum::Json(state.use_cases.exports.start(&actor, policy).await?)))
}

/// Exports, newest first.
#[utoipa::path(get, path = "/exports", tag = "exports",
    responses((status = 200, body = Vec<Export>), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Export>>, Problem> {
    Ok(axum::Json(state.use_cases.exports.list(&actor).await?))
}

/// Where a sample comes from, and which exports and models it went into.
#[utoipa::path(get, path = "/samples/{id}/lineage", tag = "exports", params(("id" = SampleId, Path)),
    responses((status = 200, body = SampleLineage), (status = 404, body = Problem)))]
pub(super) async fn lineage(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<SampleId>,
) -> Result<axum::Json<SampleLineage>, Problem> {
    Ok(axum::Json(state.use_cases.exports.lineage(&actor, id).await?))
}

/// One file of a finished export.
#[utoipa::path(get, path = "/exports/{id}/files/{name}", tag = "exports",
    params(("id" = ExportId, Path), ("name" = String, Path, description = "One of the export's `files`, such as `train.jsonl` or `manifest.json`")),
    responses((status = 200, content_type = "application/octet-stream"), (status = 404, body = Problem)))]
pub(super) async fn file(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path((id, name)): Path<(ExportId, String)>,
) -> Result<Response, Problem> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    // The name comes back in a header, and must not lead out of the export's folder.
    if name.starts_with('.') || !name.bytes().all(plain) {
        return Err(Error::not_found("that file").into());
    }
    let path = state.use_cases.exports.file(&actor, id, &name).await?;
    let gone = |_| Error::not_found("that file");
    let file = tokio::fs::File::open(&path).await.map_err(gone)?;
    let length = file.metadata().await.map_err(gone)?.len();
    let kind = match path.extension().and_then(|end| end.to_str()) {
        Some("jsonl") => "application/x-ndjson",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}
