//! Reading requests, with problems instead of the framework's plain words, and without unknown fields.

use super::problem::Problem;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use concord_domain::{Actor, Error};
use serde::de::DeserializeOwned;

/// Who asks; [`super::access`] has seen to it that there is someone.
pub(crate) struct SignedIn(pub(crate) Actor);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().map(Self).ok_or_else(|| Error::NotSignedIn.into())
    }
}

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let why = "send Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", why));
        }
        let body =
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too_large",
                    "the body is larger than this route takes",
                ),
                status => Problem::new(status, "bad_request", "the body could not be read to its end"),
            })?;
        parse(&body).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        unreadable(path.trim_matches('.'), error.inner())
    })?;
    reader.end().map_err(|error| unreadable("", &error))?;
    Ok(value)
}

/// What is no JSON is a bad request with its line; JSON that says the wrong thing is invalid, at a field.
fn unreadable(path: &str, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return Problem::new(StatusCode::BAD_REQUEST, "bad_json", format!("the body is not JSON: {error}"));
    }
    let message = error.to_string();
    let why = message.rsplit_once(" at line ").map_or(message.as_str(), |(why, _)| why);
    Error::invalid(field(path, why), why).into()
}

/// The field at fault. Of a missing or unknown one serde's path is its parent's, and the message has its name.
fn field(path: &str, why: &str) -> String {
    let name = why.strip_prefix("missing field `").or_else(|| why.strip_prefix("unknown field `"));
    match name.and_then(|rest| rest.split('`').next()) {
        Some(name) if path.is_empty() => name.to_owned(),
        Some(name) if path.rsplit('.').next() != Some(name) => format!("{path}.{name}"),
        _ if path.is_empty() => "body".to_owned(),
        _ => path.to_owned(),
    }
}

/// A query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let message = rejection.body_text();
            let why = message.rsplit_once("query string: ").map_or(message.as_str(), |(_, why)| why);
            let (path, why) = why.split_once(": ").unwrap_or(("", why));
            Problem::from(Error::invalid(field(path, why), why))
        })?;
        Ok(Self(query.0))
    }
}

/// Part of the address; what does not look like one names nothing.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| Error::not_found("what this address names").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use concord_domain::{ExportPolicy, Submission};

    fn problem<T: DeserializeOwned>(body: &str) -> serde_json::Value {
        let problem = parse::<T>(body.as_bytes()).err().expect("a problem");
        serde_json::to_value(&problem).expect("JSON")
    }

    #[test]
    fn a_problem_names_the_field() {
        for (body, field) in [
            (r#"{"phase":"blind"}"#, "answers"),
            (r#"{"phase":"blond","answers":[]}"#, "phase"),
            (r#"{"phase":"blind","answers":[{"criterion":"a"}]}"#, "answers[0].label"),
            (r#"{"phase":"blind","answers":[{"criterion":"a","label":1}]}"#, "answers[0].label"),
            (r#"{"phase":"blind","answers":[],"more":1}"#, "more"),
            ("[]", "body"),
        ] {
            let problem = problem::<Submission>(body);
            assert_eq!((&problem["field"], &problem["status"]), (&field.into(), &422.into()), "{body}");
        }
        assert_eq!(problem::<ExportPolicy>(r#"{"min_people":-1}"#)["field"], "min_people");
    }

    #[test]
    fn what_is_no_json_is_a_bad_request() {
        for body in ["", "{", "{\"phase\":\"blind\",\"answers\":[]} x", "\u{feff}{}", "{\"phase\":\"\u{0}\"}"]
        {
            let problem = problem::<Submission>(body);
            assert_eq!((&problem["code"], &problem["status"]), (&"bad_json".into(), &400.into()), "{body:?}");
        }
    }
}
