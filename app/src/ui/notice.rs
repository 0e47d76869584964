//! What went wrong, what was kept, what to do; and the page that is not there.

use crate::error::ApiError;
use crate::i18n::common as w;
use crate::session::{use_lang, use_words};
use leptos::prelude::*;
use leptos_meta::Title;

/// An error in the place of the content.
#[component]
pub(crate) fn ErrorView(error: ApiError) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let sign_in = error == ApiError::Refused(concord_domain::Error::NotSignedIn);
    let (href, words) = if sign_in { ("/sign-in", w::SIGN_IN) } else { ("/", w::BACK_HOME) };
    view! {
        <section class="trouble" role="alert">
            <h2>{t(w::ERROR_TITLE)}</h2>
            <p>{error.words(lang)}</p>
            <p><a href=href rel="external">{t(words)}</a></p>
        </section>
    }
    .into_any()
}

/// An error of a form posted without wasm: it comes back in the address.
#[component]
pub(crate) fn FormError() -> impl IntoView {
    use leptos::server_fn::error::ServerFnUrlError;
    let lang = use_lang();
    let query = leptos_router::hooks::use_query_map();
    move || {
        let error = query.with(|query| query.get("__err"))?;
        let error: ApiError = ServerFnUrlError::decode_err(&error);
        Some(view! { <p class="form-error" role="alert">{error.words(lang)}</p> })
    }
}

/// 404.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
    let t = use_words();
    view! {
        <Title text=t(w::NOT_FOUND_TITLE)/>
        <section class="page narrow">
            <h1>{t(w::NOT_FOUND_TITLE)}</h1>
            <p>{t(w::NOT_FOUND_HINT)}</p>
            <p><a href="/">{t(w::BACK_HOME)}</a></p>
        </section>
    }
    .into_any()
}
