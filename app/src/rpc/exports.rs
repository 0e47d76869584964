//! Exports: what a policy would take, starting one, the list.

use crate::error::ApiError;
use concord_domain::{Export, ExportPolicy, ExportPreview};
use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};

#[server(prefix = "/rpc", endpoint = "preview_export", input = Json)]
pub(crate) async fn preview_export(policy: ExportPolicy) -> Result<ExportPreview, ApiError> {
    let (actor, cases) = super::context()?;
    cases.exports.preview(&actor, &policy).await.map_err(crate::error::fail)
}

/// Starts an export from a plain form; the policy travels as JSON in one field.
#[server(prefix = "/rpc", endpoint = "start_export")]
pub(crate) async fn start_export(policy: String) -> Result<(), ApiError> {
    let (actor, cases) = super::context()?;
    let policy: ExportPolicy = serde_json::from_str(&policy)
        .map_err(|why| crate::error::fail(concord_domain::Error::invalid("policy", why.to_string())))?;
    cases.exports.start(&actor, policy).await.map(drop).map_err(crate::error::fail)
}

#[server(prefix = "/rpc", endpoint = "list_exports", input = GetUrl)]
pub(crate) async fn list_exports() -> Result<Vec<Export>, ApiError> {
    let (actor, cases) = super::context()?;
    cases.exports.list(&actor).await.map_err(crate::error::fail)
}
