//! Who looks at the page, in which language and theme. For display only: the use cases refuse.

use crate::i18n::Text;
use concord_domain::{Actor, Capability, Lang};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Light, dark, or as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// The word in the cookie and in `data-theme`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads the cookie's word; anything unknown follows the system.
    #[cfg(feature = "ssr")]
    pub(crate) fn parse(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// The next one when the switch is pressed.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

/// The person in front of the page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Viewer {
    pub(crate) actor: Option<Actor>,
    pub(crate) lang: Lang,
    pub(crate) theme: Theme,
}

impl Viewer {
    /// Whether to show what needs this capability.
    pub(crate) fn can(&self, capability: Capability) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.can(capability))
    }
}

/// Reads the viewer from the request on the server, and from the page in the browser, so that both
/// render the same words.
pub(crate) fn provide_viewer() {
    provide_context(SharedValue::new(viewer_of_request).into_inner());
}

/// The viewer of this page.
pub(crate) fn use_viewer() -> Viewer {
    use_context().unwrap_or_default()
}

/// The language of this page.
pub(crate) fn use_lang() -> Lang {
    use_viewer().lang
}

/// Looks up texts in the language of this page.
pub(crate) fn use_words() -> impl Fn(Text) -> &'static str + Copy + Send + Sync + 'static {
    let lang = use_lang();
    move |text| text.get(lang)
}

#[cfg(feature = "ssr")]
pub(crate) fn viewer_of_request() -> Viewer {
    Viewer {
        actor: use_context::<Option<Actor>>().flatten(),
        lang: use_context().unwrap_or_default(),
        theme: cookie("theme").map_or(Theme::System, |word| Theme::parse(&word)),
    }
}

#[cfg(not(feature = "ssr"))]
fn viewer_of_request() -> Viewer {
    Viewer::default()
}

/// A cookie of the request.
#[cfg(feature = "ssr")]
pub(crate) fn cookie(name: &str) -> Option<String> {
    use axum::http::{header::COOKIE, request::Parts};
    let parts = use_context::<Parts>()?;
    let mut all = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.find_map(|line| {
        line.split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    })
}
