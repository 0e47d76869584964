//! The REST API: what pages do, for programs. Each handler reads the request, calls one use case and
//! answers. Its address stands in the handler's annotation, from which route and document are both made.

mod account;
mod adjudications;
mod assignments;
mod audit;
mod erasures;
mod escalations;
mod exports;
mod generations;
mod gold;
mod import;
mod jobs;
mod judges;
mod labels;
mod me;
mod models;
pub(super) mod openapi;
mod pipeline;
mod programme;
mod queue;
mod recommendations;
mod rounds;
mod samples;
mod training;
mod webhooks;

use super::HttpState;
use axum::Router;
use axum::http::StatusCode;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every route but the import, and the document of them all.
pub(super) fn routes() -> (Router<HttpState>, OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(openapi::frame())
        // For annotators.
        .routes(routes!(me::me))
        .routes(routes!(queue::next))
        .routes(routes!(assignments::reopen))
        .routes(routes!(assignments::submit))
        .routes(routes!(assignments::reveal))
        .routes(routes!(assignments::skip))
        .routes(routes!(assignments::escalate))
        .routes(routes!(me::work))
        .routes(routes!(samples::list))
        .routes(routes!(samples::get))
        .routes(routes!(programme::rubric))
        .routes(routes!(me::overview))
        .routes(routes!(account::tokens, account::make_token))
        .routes(routes!(account::revoke_token))
        .routes(routes!(account::sign_out_everywhere))
        // For leads and administrators.
        .routes(routes!(programme::get, programme::set))
        .routes(routes!(programme::versions))
        .routes(routes!(programme::publish))
        .routes(routes!(programme::check))
        .routes(routes!(programme::diff))
        .routes(routes!(labels::list))
        .routes(routes!(gold::set, gold::retire))
        .routes(routes!(gold::list))
        .routes(routes!(gold::records))
        .routes(routes!(escalations::list))
        .routes(routes!(escalations::resolve))
        .routes(routes!(escalations::anchoring))
        .routes(routes!(audit::report))
        .routes(routes!(audit::decisions))
        .routes(routes!(audit::reliability))
        .routes(routes!(audit::slices))
        .routes(routes!(audit::pairs))
        .routes(routes!(audit::annotators))
        .routes(routes!(audit::certificates, audit::certify))
        .routes(routes!(audit::void))
        .routes(routes!(audit::monitors))
        .routes(routes!(audit::investigations))
        .routes(routes!(audit::investigate))
        .routes(routes!(audit::relabel))
        .routes(routes!(audit::certify_anew))
        .routes(routes!(audit::replay))
        .routes(routes!(audit::sampling, audit::set_sampling))
        .routes(routes!(audit::allocate))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::remove))
        .routes(routes!(webhooks::ping))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(judges::list))
        .routes(routes!(judges::get))
        .routes(routes!(judges::draw))
        .routes(routes!(judges::calibrate))
        .routes(routes!(judges::rejudge))
        .routes(routes!(judges::probes, judges::probe))
        .routes(routes!(judges::heads, judges::train_head, judges::drop_heads))
        .routes(routes!(judges::set_senior))
        .routes(routes!(adjudications::cases))
        .routes(routes!(adjudications::case))
        .routes(routes!(adjudications::adjudicate))
        .routes(routes!(generations::list, generations::start))
        .routes(routes!(generations::get))
        .routes(routes!(pipeline::presets, pipeline::add_preset))
        .routes(routes!(pipeline::build_presets))
        .routes(routes!(pipeline::change_preset))
        .routes(routes!(pipeline::phi))
        .routes(routes!(pipeline::explanations))
        .routes(routes!(pipeline::build_explanations))
        .routes(routes!(pipeline::batches))
        .routes(routes!(pipeline::steer))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::cancel))
        .routes(routes!(exports::list, exports::start))
        .routes(routes!(exports::preview))
        .routes(routes!(exports::lineage))
        .routes(routes!(models::list))
        .routes(routes!(models::promotions))
        .routes(routes!(models::promote))
        .routes(routes!(models::roll_back))
        .routes(routes!(training::runs))
        .routes(routes!(training::run))
        .routes(routes!(rounds::list, rounds::start))
        .routes(routes!(rounds::schedule, rounds::set_schedule, rounds::remove_schedule))
        .routes(routes!(rounds::get))
        .routes(routes!(rounds::stop))
        .routes(routes!(erasures::request, erasures::list))
        .routes(routes!(exports::file))
        .routes(routes!(recommendations::get))
        // For administrators.
        .routes(routes!(account::invitations, account::invite))
        .routes(routes!(account::withdraw))
        .split_for_parts();
    document.merge(import_parts().1);
    (router.fallback(async || StatusCode::NOT_FOUND), openapi::finish(document))
}

/// The import, which has a body limit and a deadline of its own.
pub(super) fn import_routes() -> Router<HttpState> {
    import::bounded(import_parts().0)
}

fn import_parts() -> (Router<HttpState>, OpenApi) {
    OpenApiRouter::new().routes(routes!(import::import)).split_for_parts()
}
