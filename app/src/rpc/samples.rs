//! Looking at samples.

use crate::error::ApiError;
use concord_domain::{SampleDetail, SampleFilter, SampleId, SamplePage};
use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};

#[server(prefix = "/rpc", endpoint = "list_samples", input = Json)]
pub(crate) async fn list_samples(filter: SampleFilter) -> Result<SamplePage, ApiError> {
    let (actor, cases) = super::context()?;
    cases.samples.list(&actor, filter).await.map_err(crate::error::fail)
}

#[server(prefix = "/rpc", endpoint = "get_sample", input = GetUrl)]
pub(crate) async fn get_sample(id: SampleId) -> Result<SampleDetail, ApiError> {
    let (actor, cases) = super::context()?;
    cases.samples.get(&actor, id).await.map_err(crate::error::fail)
}
