//! The OpenAPI 3.1 document of the API: made from the routes, so it cannot miss one.

use crate::http::HttpState;
use crate::http::problem::Problem;
use axum::Json;
use axum::routing::{MethodRouter, get};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};

/// Title, version, and how to say who one is.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Concord", description = "The workbench of the human-LLM cooperative judge."),
    components(schemas(Problem)),
    security(("bearer" = []), ("session" = [])),
    modifiers(&Security)
)]
struct Frame;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("concord_session"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// The document without its routes.
pub(super) fn frame() -> OpenApi {
    Frame::openapi()
}

/// Puts the routes where they are, and adds the answer that each of them may give.
pub(super) fn finish(mut document: OpenApi) -> OpenApi {
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (format!("/api/v1{path}"), item)).collect();
    for item in document.paths.paths.values_mut() {
        for operation in
            [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten()
        {
            operation.responses.responses.insert("default".to_owned(), any_problem().into());
        }
    }
    document
}

fn any_problem() -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description("refused or failed; `code` says why")
        .content("application/problem+json", content)
        .build()
}

/// Answers with the document.
pub(in crate::http) fn serve(document: OpenApi) -> MethodRouter<HttpState> {
    get(async move || Json(document.clone()))
}
