//! The header: where one can go by role, the account, language and theme. All plain links and forms.

use crate::i18n::{Text, common as w};
use crate::rpc::account::{SetLang, SetTheme, SignOut};
use crate::session::{Theme, Viewer, use_viewer, use_words};
use concord_domain::{Actor, Capability, Lang, Role};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::components::A;

/// The header of every page.
#[component]
pub(crate) fn Header() -> impl IntoView {
    let t = use_words();
    let viewer = use_viewer();
    let links = viewer.actor.is_some().then(|| {
        let audit = viewer.can(Capability::ReadAll).then(|| nav_link("/audit", w::AUDIT, "nav-audit", true));
        let judges =
            viewer.can(Capability::ReadAll).then(|| nav_link("/judges", w::JUDGES, "nav-judges", true));
        let rubrics =
            viewer.can(Capability::ReadAll).then(|| nav_link("/rubrics", w::RUBRICS, "nav-rubrics", true));
        let pipeline =
            viewer.can(Capability::ReadAll).then(|| nav_link("/pipeline", w::PIPELINE, "nav-pipeline", true));
        let recommend = viewer
            .can(Capability::ReadAll)
            .then(|| nav_link("/recommend", w::RECOMMEND, "nav-recommend", true));
        let exports =
            viewer.can(Capability::Export).then(|| nav_link("/exports", w::EXPORTS, "nav-exports", true));
        view! {
            <nav class="main-nav" aria-label=t(w::MAIN_NAV)>
                {nav_link("/", w::HOME, "nav-home", false)}
                {nav_link("/review", w::REVIEW, "nav-review", false)}
                {nav_link("/samples", w::SAMPLES, "nav-samples", true)}
                {nav_link("/me", w::MY_WORK, "nav-me", true)}
                {audit}
                {judges}
                {rubrics}
                {pipeline}
                {recommend}
                {exports}
            </nav>
        }
    });
    let account = viewer.actor.clone().map(|actor| view! { <AccountMenu actor/> });
    view! {
        <a class="skip-link" href="#content">{t(w::SKIP_TO_CONTENT)}</a>
        <header class="top">
            <a class="brand" href="/"><Logo/> "Concord"</a>
            {links}
            <div class="top-end">
                <Switches viewer/>
                {account}
            </div>
        </header>
    }
    .into_any()
}

/// A link of the navigation. Documents have no router, and the application's router does not know documents:
/// between the two a link is a plain one.
fn nav_link(href: &'static str, words: Text, testid: &'static str, document: bool) -> AnyView {
    let words = use_words()(words);
    #[cfg(feature = "ssr")]
    if let Some(place) = use_context::<crate::document::Place>() {
        // Self-training is a part of the pipeline, at an address of its own.
        let within = place.0.starts_with(href) || (href == "/pipeline" && place.0.starts_with("/evolve"));
        let current = (document && within).then_some("page");
        return view! { <a href=href aria-current=current data-testid=testid>{words}</a> }.into_any();
    }
    if document {
        return view! { <a href=href rel="external" data-testid=testid>{words}</a> }.into_any();
    }
    let exact = href == "/";
    view! { <A href=href exact=exact attr:data-testid=testid>{words}</A> }.into_any()
}

#[component]
fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
            <circle cx="11.5" cy="16" r="8"/><circle class="second" cx="20.5" cy="16" r="8"/>
        </svg>
    }
    .into_any()
}

/// Language and theme: each a form of one button, so that they work before wasm and without it.
#[component]
fn Switches(viewer: Viewer) -> impl IntoView {
    let t = use_words();
    let (other, other_lang) = match viewer.lang {
        Lang::En => ("zh", "zh-CN"),
        Lang::Zh => ("en", "en"),
    };
    let (theme_words, sign) = match viewer.theme {
        Theme::System => (w::THEME_SYSTEM, "M8 2a6 6 0 100 12zM8 2a6 6 0 010 12"),
        Theme::Light => (
            w::THEME_LIGHT,
            "M8 5a3 3 0 100 6 3 3 0 000-6M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.5 1.5M11.5 11.5L13 13M3 13l1.5-1.5M11.5 4.5L13 3",
        ),
        Theme::Dark => (w::THEME_DARK, "M13.5 9.5A6 6 0 016.5 2.5a6 6 0 107 7z"),
    };
    let class = if viewer.theme == Theme::System { "half" } else { "" };
    view! {
        <form method="post" action=SetLang::PATH>
            <button class="quiet-button" name="lang" value=other title=t(w::SWITCH_LANGUAGE) data-testid="nav-lang">
                <span lang=other_lang>{t(w::OTHER_LANGUAGE)}</span>
            </button>
        </form>
        <form method="post" action=SetTheme::PATH>
            <button class="quiet-button icon-button" name="theme" value=viewer.theme.next().as_str()
                aria-label=t(theme_words) title=t(theme_words) data-testid="nav-theme">
                <svg class=format!("switch-icon {class}") viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d=sign/></svg>
            </button>
        </form>
    }
    .into_any()
}

#[component]
fn AccountMenu(actor: Actor) -> impl IntoView {
    let t = use_words();
    let role = t(match actor.role {
        Role::Annotator => w::ROLE_ANNOTATOR,
        Role::Lead => w::ROLE_LEAD,
        Role::Admin => w::ROLE_ADMIN,
    });
    view! {
        <details class="account">
            <summary data-testid="nav-account" aria-label=format!("{}: {}", t(w::ACCOUNT), actor.email)>
                <span class="account-email">{actor.email.clone()}</span>
            </summary>
            <div class="menu">
                <p><b>{actor.email}</b><br/><span class="quiet">{role}</span></p>
                <p><a href="/account" rel="external" data-testid="nav-account-page">{t(w::ACCOUNT)}</a></p>
                <form method="post" action=SignOut::PATH>
                    <button data-testid="nav-sign-out">{t(w::SIGN_OUT)}</button>
                </form>
            </div>
        </details>
    }
    .into_any()
}
