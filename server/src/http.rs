//! HTTP: every route and the order of the layers, in one screen.
//!
//! A request passes, outermost first: its log line and id, the headers every answer carries, compression,
//! faults turned into problems, the deadline, the body limit, the cross-site check, and who asks. What is
//! not on the list in [`access`] needs an actor.

mod access;
mod account;
mod annotators;
mod audit;
mod cases;
mod connections;
mod escalations;
mod evolve;
mod exports;
mod extract;
mod headers;
mod health;
mod hosts;
mod judges;
mod me;
mod metrics;
mod observe;
mod pages;
mod pipeline;
mod problem;
mod recommend;
mod rubrics;
mod samples;
mod sign_in;
mod training;
mod v1;

#[cfg(test)]
mod tests;

pub use connections::serve;
pub use hosts::Hosts;

use crate::config::{Config, Secret};
use crate::metrics::Metrics;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::get;
use concord_domain::api::UseCases;
use concord_service::intake::PseudonymKey;
use leptos::config::LeptosOptions;
use sqlx::PgPool;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

/// How long a request may take until its answer begins; slower work is a job.
const DEADLINE: Duration = Duration::from_secs(30);
/// The largest body, but for imports.
const BODY_LIMIT: usize = 1024 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct HttpState {
    /// The name of the project.
    pub project: Arc<str>,
    /// The use cases.
    pub use_cases: UseCases,
    /// The database: for readiness and imports.
    pub pool: PgPool,
    /// A proxy of ours stands in front and says who asks.
    pub behind_proxy: bool,
    /// Where the browser's half lies.
    pub leptos_options: LeptosOptions,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Who may read it from elsewhere.
    pub metrics_token: Option<Secret>,
    /// What imports may call users by.
    pub pseudonyms: Option<PseudonymKey>,
    /// Cancelled: this server is about to stop, and takes what still comes.
    pub stop: CancellationToken,
}

/// Everything Concord answers.
pub fn router(state: HttpState) -> Router {
    let (api, document) = v1::routes();
    let bounded = Router::new()
        .merge(pages::routes(&state))
        .merge(audit::routes())
        .merge(samples::routes())
        .merge(exports::routes())
        .merge(evolve::routes())
        .merge(training::routes())
        .merge(judges::routes())
        .merge(pipeline::routes())
        .merge(recommend::routes())
        .merge(me::routes())
        .merge(annotators::routes())
        .merge(cases::routes())
        .merge(escalations::routes())
        .merge(rubrics::routes())
        .merge(account::routes())
        .merge(sign_in::routes())
        .nest("/api/v1", api)
        .route("/api/v1/openapi.json", v1::openapi::serve(document))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::SERVICE_UNAVAILABLE, DEADLINE));
    bounded
        .merge(Router::new().nest("/api/v1", v1::import_routes()))
        .layer(from_fn_with_state(state.clone(), access::admit))
        .layer(CsrfLayer::new().with_rejection_response(problem::cross_site))
        .layer(map_response(problem::dress))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(headers::compressible)))
        .layer(from_fn(headers::secure))
        .layer(from_fn_with_state(state.clone(), observe::request))
        .with_state(state)
}

/// Where the browser's half lies, as leptos wants to know it.
#[must_use]
pub fn leptos_options(config: &Config, addr: SocketAddr) -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("concord")
        .site_root(config.site.to_string_lossy().into_owned())
        .site_addr(addr)
        .build()
}
