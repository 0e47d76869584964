//! The home page, generations and jobs.

use crate::error::ApiError;
use concord_domain::{JobId, Overview};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

#[server(prefix = "/rpc", endpoint = "get_overview", input = GetUrl)]
pub(crate) async fn get_overview() -> Result<Overview, ApiError> {
    let (actor, cases) = super::context()?;
    cases.work.overview(&actor).await.map_err(crate::error::fail)
}

#[server(prefix = "/rpc", endpoint = "start_generation")]
pub(crate) async fn start_generation(users: u32, seed: u64) -> Result<(), ApiError> {
    let (actor, cases) = super::context()?;
    let request = concord_domain::GenerationRequest { users, seed, ..Default::default() };
    cases.work.generate(&actor, request).await.map(drop).map_err(crate::error::fail)
}

#[server(prefix = "/rpc", endpoint = "cancel_job")]
pub(crate) async fn cancel_job(id: JobId) -> Result<(), ApiError> {
    let (actor, cases) = super::context()?;
    cases.work.cancel(&actor, id).await.map_err(crate::error::fail)
}
