//! Pages and server functions: leptos renders, and gets the use cases, the actor and the language of the
//! request as contexts.

pub(super) mod language;

use super::HttpState;
use super::headers::content_security_policy;
use axum::Router;
use axum::extract::FromRef;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::Response;
use concord_domain::Actor;
use concord_domain::api::UseCases;
use leptos::config::LeptosOptions;
use leptos::context::{provide_context, use_context};
use leptos::nonce::use_nonce;
use leptos_axum::{AxumRouteListing, LeptosRoutes, ResponseOptions};
use std::path::Path;
use std::sync::LazyLock;
use tower_http::services::{ServeDir, ServeFile};

impl FromRef<HttpState> for LeptosOptions {
    fn from_ref(state: &HttpState) -> Self {
        state.leptos_options.clone()
    }
}

/// The pages' routes. Listed once in a process: while leptos lists them, a page that is being rendered on
/// another thread never gets its data (leptos-rs/leptos#4773).
static LISTED: LazyLock<Vec<AxumRouteListing>> =
    LazyLock::new(|| leptos_axum::generate_route_list(concord_app::App));

/// Pages, the server functions under `/rpc`, and the files they load.
pub(super) fn routes(state: &HttpState) -> Router<HttpState> {
    let options = state.leptos_options.clone();
    let use_cases = state.use_cases.clone();
    let context = move || provide(&use_cases);
    let pages = LISTED.clone();
    Router::new()
        .leptos_routes_with_context(state, pages, context.clone(), move || {
            concord_app::shell(options.clone())
        })
        .merge(files(Path::new(&*state.leptos_options.site_root)))
        .fallback(leptos_axum::file_and_error_handler_with_context::<HttpState, _>(
            context,
            concord_app::shell,
        ))
}

/// What a page or server function finds in its context.
fn provide(use_cases: &UseCases) {
    provide_context(use_cases.clone());
    let parts = use_context::<Parts>();
    provide_context(parts.as_ref().and_then(|parts| parts.extensions.get::<Actor>().cloned()));
    provide_context(parts.map(|parts| language::of(&parts.headers)).unwrap_or_default());
    // Only pages have a nonce; the policy of everything else allows no inline script at all.
    if let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>())
        && let Ok(policy) = HeaderValue::from_str(&content_security_policy(Some(&nonce)))
    {
        response.insert_header(CONTENT_SECURITY_POLICY, policy);
    }
}

/// The browser's half, from the `.br` and `.gz` twins that the build made.
fn files(site: &Path) -> Router<HttpState> {
    let pkg = ServeDir::new(site.join("pkg")).precompressed_br().precompressed_gzip();
    Router::new()
        .nest_service("/pkg", pkg)
        .route_service("/favicon.svg", ServeFile::new(site.join("favicon.svg")))
        .layer(map_response(revalidate))
}

/// The names of these files do not change with their content: browsers keep them and ask whether they changed.
async fn revalidate(mut response: Response) -> Response {
    if matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED) {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    response
}
