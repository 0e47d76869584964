//! The error a server function gives, its HTTP status, and its words on a page.

use crate::i18n::{Text, common as w};
use concord_domain::{Error, Lang};
use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum ApiError {
    /// The use case refused or failed, and said why.
    Refused(Error),
    /// No readable answer: dead network, restarting server, or a proxy in between. Worth trying again.
    Unreachable {
        /// What the transport said.
        unreachable: String,
    },
}

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            // On the server what cannot be deserialised is what was sent, and that is no fault of ours.
            #[cfg(feature = "ssr")]
            ServerFnErrorErr::Args(why)
            | ServerFnErrorErr::MissingArg(why)
            | ServerFnErrorErr::Deserialization(why) => fail(Error::invalid("request", why)),
            #[cfg(not(feature = "ssr"))]
            ServerFnErrorErr::Args(why) | ServerFnErrorErr::MissingArg(why) => {
                Self::Refused(Error::invalid("request", why))
            }
            other => Self::Unreachable { unreachable: other.to_string() },
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl ApiError {
    /// Whether the same call may succeed later, so that what was entered waits for it.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(error) => {
                matches!(error, Error::Busy { .. } | Error::Unavailable { .. } | Error::Internal { .. })
            }
        }
    }

    /// What happened and what to do, for a person.
    pub(crate) fn words(&self, lang: Lang) -> String {
        let t = |text: Text| text.get(lang).to_owned();
        match self {
            Self::Unreachable { .. } => t(w::UNREACHABLE),
            Self::Refused(error) => match error {
                Error::NotSignedIn => t(w::SIGN_IN_FIRST),
                Error::WrongCredentials => t(w::WRONG_CREDENTIALS),
                Error::Forbidden => t(w::FORBIDDEN),
                Error::NotFound { .. } => t(w::NOTHING_HERE),
                Error::Conflict { code, .. } if code == "overlap_full" => t(w::OVERLAP_FULL),
                Error::Busy { retry_after } => w::busy(lang, *retry_after),
                Error::Unavailable { what, mend } => w::unavailable(lang, what, mend),
                Error::Internal { reference } => w::internal(lang, reference),
                Error::Conflict { .. } | Error::Invalid { .. } => error.to_string(),
            },
        }
    }
}

/// Sets the HTTP status of the response and hands the error on: every `Err` of a server function
/// would else be a 500. A plain form post keeps its redirect, which carries the error in the URL.
#[cfg(feature = "ssr")]
pub(crate) fn fail(error: Error) -> ApiError {
    use axum::http::{Method, StatusCode, header::ACCEPT, request::Parts};
    use leptos::prelude::use_context;
    let form_post = use_context::<Parts>().is_some_and(|parts| {
        let html =
            parts.headers.get(ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
        html && parts.method == Method::POST
    });
    if !form_post
        && let Some(response) = use_context::<leptos_axum::ResponseOptions>()
        && let Ok(status) = StatusCode::from_u16(error.status())
    {
        response.set_status(status);
    }
    ApiError::Refused(error)
}
