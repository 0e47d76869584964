//! The HTML document around every page.

use crate::routes::App;
use crate::session::{Theme, viewer_of_request};
use concord_domain::Lang;
use leptos::prelude::*;
use leptos_meta::MetaTags;

/// The document: language, theme and the scripts that hydrate it. Every inline script carries the
/// request's nonce, so the page works under a strict content security policy.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let viewer = viewer_of_request();
    let theme = (viewer.theme != Theme::System).then(|| viewer.theme.as_str());
    let lang = match viewer.lang {
        Lang::En => "en",
        Lang::Zh => "zh-CN",
    };
    view! {
        <!DOCTYPE html>
        <html lang=lang data-theme=theme>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="stylesheet" href="/pkg/concord.css"/>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}
