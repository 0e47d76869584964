//! `/sign-in`: a document with a plain form.

use crate::document::{Reader, encoded};
use crate::error::ApiError;
use crate::i18n::{Text, account, common as c, sign_in as w};
use crate::rpc::account::SignIn;
use concord_domain::Error;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::server_fn::error::ServerFnUrlError;

/// What the page shows.
#[derive(Debug)]
pub struct SignInPage {
    /// The page to go on to.
    pub next: String,
    /// Why it did not work.
    pub refused: Option<Refusal>,
    /// The host of the provider that people may sign in with.
    pub provider: Option<String>,
}

/// Why signing in did not work.
#[derive(Debug)]
pub struct Refusal(ApiError);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

/// The refusal of the form, which comes back in the address.
#[must_use]
pub fn of_address(error: &str) -> Refusal {
    Refusal(ServerFnUrlError::decode_err(error))
}

/// E-mail and password, or the provider.
#[must_use]
pub fn form(reader: &Reader, page: &SignInPage) -> String {
    let t = reader.words();
    reader.render(t(c::SIGN_IN), || {
        let refused = page.refused.as_ref().map(|refusal| {
            view! { <p class="form-error" role="alert">{words(reader, refusal)}</p> }
        });
        let provider = page.provider.as_ref().map(|host| {
            let way = format!("/sign-in/provider?next={}", encoded(&page.next));
            let words = w::with_provider(reader.lang(), host);
            view! {
                <p class="or quiet small">{t(w::OR)}</p>
                <a class="button" href=way data-testid="sign-in-provider">{words}</a>
            }
        });
        view! {
            <section class="page sign-in">
                <h1>{t(c::SIGN_IN)}</h1>
                {refused}
                <form method="post" action=SignIn::PATH class="stack">
                    <input type="hidden" name="next" value=page.next.clone()/>
                    <label class="field">
                        <span>{t(account::EMAIL)}</span>
                        <input type="email" name="email" data-testid="email" required autocomplete="username" autofocus/>
                    </label>
                    <label class="field">
                        <span>{t(account::PASSWORD)}</span>
                        <input type="password" name="password" data-testid="password" required
                            autocomplete="current-password"/>
                    </label>
                    <button class="primary" data-testid="sign-in">{t(c::SIGN_IN)}</button>
                </form>
                {provider}
                <p class="quiet small">{t(w::HINT)}</p>
            </section>
        }
        .into_any()
    })
}

/// What happened and what to do, in the reader's language.
fn words(reader: &Reader, Refusal(error): &Refusal) -> String {
    let known = match error {
        ApiError::Refused(Error::Conflict { code, .. }) => known(code),
        _ => None,
    };
    known.map_or_else(|| error.words(reader.lang()), |text| text.get(reader.lang()).to_owned())
}

fn known(code: &str) -> Option<Text> {
    Some(match code {
        "sign_in_expired" => w::EXPIRED,
        "provider_refused" => w::REFUSED,
        "email_unverified" => w::UNVERIFIED,
        "email_foreign" => w::FOREIGN,
        "identity_taken" => w::TAKEN,
        "no_account" => w::NO_ACCOUNT,
        _ => return None,
    })
}
