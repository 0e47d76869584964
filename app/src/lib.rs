//! What people see: pages, components and server functions.
//!
//! Knows the domain and its use-case traits, never the store, the services or a model. The server
//! crate builds it with `ssr` and calls `shell` and [`App`]; the browser gets it with `hydrate`.

// Views nest deeper than the compiler follows by default when it lays them out in release builds.
#![recursion_limit = "256"]
#![expect(unreachable_pub, reason = "the component macro makes its functions pub wherever they are")]

#[cfg(feature = "ssr")]
pub mod account;
#[cfg(feature = "ssr")]
pub mod audit;
#[cfg(feature = "ssr")]
pub mod document;
mod error;
#[cfg(feature = "ssr")]
pub mod evolve;
#[cfg(feature = "ssr")]
pub mod exports;
mod i18n;
#[cfg(feature = "ssr")]
pub mod judges;
#[cfg(feature = "ssr")]
pub mod me;
mod pages;
#[cfg(feature = "ssr")]
pub mod pipeline;
#[cfg(feature = "ssr")]
pub mod recommend;
mod review;
mod routes;
mod rpc;
#[cfg(feature = "ssr")]
pub mod rubrics;
#[cfg(feature = "ssr")]
pub mod samples;
mod session;
#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
pub mod sign_in;
#[cfg(feature = "ssr")]
pub mod training;
mod ui;

pub use routes::App;
#[cfg(feature = "ssr")]
pub use rpc::{ClientAddress, account::own_page};
#[cfg(feature = "ssr")]
pub use shell::shell;

/// Takes over the page that the server rendered, then says so with `<html data-hydrated>`.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    use leptos::prelude::*;
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(App);
    if let Some(root) = document().document_element() {
        root.set_attribute("data-hydrated", "").unwrap_or_default();
    }
}
