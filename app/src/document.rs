//! Pages that the server renders whole and the browser only shows: no wasm, no scripts. What people look at now and
//! then and print is made so; what they live in for hours is the hydrated application.

use crate::i18n::Text;
use crate::session::{Theme, Viewer};
use crate::ui::frame::Header;
use concord_domain::{Actor, Error, Lang};
use leptos::prelude::*;

/// Where in the site a document stands, so that the navigation is plain links and knows its place.
#[derive(Debug, Clone)]
pub(crate) struct Place(pub(crate) String);

/// Who looks at a document, and from where.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(crate) viewer: Viewer,
    path: String,
}

impl Reader {
    /// From a request: who asks, the language, the theme's cookie, and the path.
    #[must_use]
    pub fn new(actor: Actor, lang: Lang, theme: Option<&str>, path: &str) -> Self {
        let theme = theme.map_or(Theme::System, Theme::parse);
        Self { viewer: Viewer { actor: Some(actor), lang, theme }, path: path.to_owned() }
    }

    /// Somebody who has not signed in: whoever has the link of an invitation.
    #[must_use]
    pub fn stranger(lang: Lang, theme: Option<&str>, path: &str) -> Self {
        let theme = theme.map_or(Theme::System, Theme::parse);
        Self { viewer: Viewer { actor: None, lang, theme }, path: path.to_owned() }
    }

    pub(crate) fn words(&self) -> impl Fn(Text) -> &'static str + Copy + Send + Sync + 'static {
        let lang = self.viewer.lang;
        move |text| text.get(lang)
    }

    pub(crate) fn lang(&self) -> Lang {
        self.viewer.lang
    }

    pub(crate) fn email(&self) -> &str {
        self.viewer.actor.as_ref().map_or("", |actor| &actor.email)
    }

    /// The whole document around what `page` makes.
    pub(crate) fn render(&self, title: &str, page: impl FnOnce() -> AnyView) -> String {
        let lang = match self.viewer.lang {
            Lang::En => "en",
            Lang::Zh => "zh-CN",
        };
        let theme = (self.viewer.theme != Theme::System).then(|| self.viewer.theme.as_str());
        let title = escaped(&format!("{title} · Concord"));
        Owner::new().with(|| {
            provide_context(self.viewer.clone());
            provide_context(Place(self.path.clone()));
            let page = page();
            view! {
                <!DOCTYPE html>
                <html lang=lang data-theme=theme>
                    <head>
                        <meta charset="utf-8"/>
                        <meta name="viewport" content="width=device-width, initial-scale=1"/>
                        <meta name="color-scheme" content="light dark"/>
                        <title inner_html=title></title>
                        <link rel="stylesheet" href="/pkg/concord.css"/>
                        <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                    </head>
                    <body>
                        <Header/>
                        <main id="content" tabindex="-1">{page}</main>
                    </body>
                </html>
            }
            .to_html()
        })
    }
}

/// Percent-encodes a value of a query.
pub(crate) fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// Text inside a title: put there as it is, because leptos would mark its end with a comment.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What a refused or failed use case looks like.
#[must_use]
pub fn error(reader: &Reader, error: &Error) -> String {
    use crate::i18n::common as w;
    let t = reader.words();
    let words = crate::error::ApiError::from(error.clone()).words(reader.lang());
    reader.render(t(w::ERROR_TITLE), || {
        view! {
            <div class="page"><section class="trouble" role="alert">
                <h1>{t(w::ERROR_TITLE)}</h1>
                <p>{words}</p>
                <p><a href="/">{t(w::BACK_HOME)}</a></p>
            </section></div>
        }
        .into_any()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use concord_domain::{AccountId, AuditFilter, AuditReport, Role};

    #[test]
    fn what_models_and_logs_say_is_never_markup() {
        let actor = Actor {
            account: AccountId(uuid::Uuid::nil()),
            email: "<b>@x".into(),
            role: Role::Lead,
            scopes: None,
        };
        let reader = Reader::new(actor, Lang::En, Some("dark"), "/audit");
        let filter =
            AuditFilter { task: Some("\"><script>alert(1)</script>".into()), ..AuditFilter::default() };
        let report = AuditReport { schema: String::new(), waiting: 1234, cards: Vec::new() };
        let html = crate::audit::overview(&reader, &report, &filter);
        assert!(
            !html.contains("<script") && !html.contains("<b>@x") && html.contains("data-theme=\"dark\""),
            "{html}"
        );
        assert!(html.contains("1,234 changed samples"), "{html}");
        assert!(html.contains("<title>Audit · Concord</title>"), "{html}");
        let html = reader.render("</title><img>", || ().into_any());
        assert!(!html.contains("<img>"), "{html}");
    }
}
