//! Signing in and out, language and theme. All work as plain form posts, without wasm.

use crate::error::ApiError;
use leptos::prelude::*;

#[server(prefix = "/rpc", endpoint = "sign_in")]
pub(crate) async fn sign_in(
    email: String,
    password: String,
    #[server(default)] next: String,
) -> Result<(), ApiError> {
    let cases = expect_context::<concord_domain::api::UseCases>();
    let from = use_context::<axum::http::request::Parts>()
        .and_then(|parts| parts.extensions.get::<crate::rpc::ClientAddress>().copied())
        .and_then(|address| address.0);
    let (_, secret) = cases.accounts.sign_in(&email, &password, from).await.map_err(crate::error::fail)?;
    // A session that was there ends: signing in changes the secret.
    if let Some(old) = crate::session::cookie("concord_session") {
        cases.accounts.sign_out(&old).await.map_err(crate::error::fail)?;
    }
    cookies::set("concord_session", &secret, 14 * 24 * 3600, true);
    leptos_axum::redirect(own_page(&next).unwrap_or("/review"));
    Ok(())
}

#[server(prefix = "/rpc", endpoint = "sign_out")]
pub(crate) async fn sign_out() -> Result<(), ApiError> {
    let cases = expect_context::<concord_domain::api::UseCases>();
    if let Some(secret) = crate::session::cookie("concord_session") {
        cases.accounts.sign_out(&secret).await.map_err(crate::error::fail)?;
    }
    cookies::set("concord_session", "", 0, true);
    leptos_axum::redirect("/sign-in");
    Ok(())
}

#[server(prefix = "/rpc", endpoint = "set_lang")]
pub(crate) async fn set_lang(lang: String) -> Result<(), ApiError> {
    cookies::set("lang", concord_domain::Lang::parse(&lang).as_str(), cookies::YEAR, false);
    Ok(())
}

#[server(prefix = "/rpc", endpoint = "set_theme")]
pub(crate) async fn set_theme(theme: String) -> Result<(), ApiError> {
    cookies::set("theme", crate::session::Theme::parse(&theme).as_str(), cookies::YEAR, false);
    Ok(())
}

/// The address, if it is a page here: a path that no browser takes for another host.
#[cfg(feature = "ssr")]
#[must_use]
pub fn own_page(next: &str) -> Option<&str> {
    let second = next.chars().nth(1);
    let here = next.starts_with('/') && !matches!(second, Some('/' | '\\'));
    (here && next.len() < 2000 && next.chars().all(|c| c.is_ascii_graphic())).then_some(next)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    #[test]
    fn signing_in_leads_only_to_pages_here() {
        use super::own_page;
        assert_eq!(own_page("/samples?task=tag"), Some("/samples?task=tag"));
        for other in ["", "samples", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb"] {
            assert_eq!(own_page(other), None, "{other:?}");
        }
    }
}

#[cfg(feature = "ssr")]
mod cookies {
    use axum::http::{HeaderValue, header::SET_COOKIE, request::Parts};
    use leptos::prelude::{expect_context, use_context};

    /// Seconds of a year.
    pub(super) const YEAR: u32 = 365 * 24 * 3600;

    /// Sets a cookie for the whole site; `Secure` where the browser came by https.
    pub(super) fn set(name: &str, value: &str, max_age: u32, http_only: bool) {
        let http_only = if http_only { "; HttpOnly" } else { "" };
        let secure = if came_by_https() { "; Secure" } else { "" };
        let line = format!("{name}={value}; Path=/; Max-Age={max_age}; SameSite=Lax{http_only}{secure}");
        if let Ok(line) = HeaderValue::from_str(&line) {
            expect_context::<leptos_axum::ResponseOptions>().append_header(SET_COOKIE, line);
        }
    }

    /// The scheme of the page that posted, which a proxy in front does not hide from us.
    fn came_by_https() -> bool {
        let Some(parts) = use_context::<Parts>() else { return false };
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        header("x-forwarded-proto") == Some("https")
            || header("origin").is_some_and(|origin| origin.starts_with("https://"))
    }
}
