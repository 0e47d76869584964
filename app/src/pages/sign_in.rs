//! `/sign-in`: a plain form, which works without wasm.

use crate::i18n::{common as c, pages as w};
use crate::rpc::account::SignIn;
use crate::session::use_words;
use crate::ui::notice::FormError;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// E-mail and password.
#[component]
pub(crate) fn SignInPage() -> impl IntoView {
    let t = use_words();
    let next = use_query_map().read_untracked().get("next").unwrap_or_default();
    view! {
        <Title text=t(c::SIGN_IN)/>
        <section class="page sign-in">
            <h1>{t(c::SIGN_IN)}</h1>
            <FormError/>
            <form method="post" action=SignIn::PATH class="stack">
                <input type="hidden" name="next" value=next/>
                <label class="field">
                    <span>{t(c::EMAIL)}</span>
                    <input type="email" name="email" data-testid="email" required autocomplete="username" autofocus/>
                </label>
                <label class="field">
                    <span>{t(c::PASSWORD)}</span>
                    <input type="password" name="password" data-testid="password" required
                        autocomplete="current-password"/>
                </label>
                <button class="primary" data-testid="sign-in">{t(c::SIGN_IN)}</button>
            </form>
            <p class="quiet small">{t(w::SIGN_IN_HINT)}</p>
        </section>
    }
    .into_any()
}
