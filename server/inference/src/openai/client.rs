//! One HTTP request to a model server, with time limits and a few careful retries.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use concord_domain::ports::ModelError;
use rand::Rng;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;

use super::wire::{self, Answer};

/// Longest answer read: a server must not fill our memory.
const MAX_BYTES: usize = 8 << 20;

/// Longest wait for a server that asks for one. One that asks for more is left alone: whoever asked comes back later.
const MAX_WAIT: Duration = Duration::from_secs(30);

pub(super) struct Http {
    client: Client,
    url: Url,
    name: String,
    retries: u32,
    /// The server has asked for no request before this moment: a limit that one request meets holds for all.
    quiet_until: Mutex<Option<Instant>>,
    /// The server has said that it takes schemas only in their older form.
    older: AtomicBool,
}

/// How one try ended, if not well.
enum Failure {
    /// Another try may help, after the time the server asked for.
    Passing(ModelError, Option<Duration>),
    /// The server wants the schema in its older form.
    Older,
    Lasting(ModelError),
}

impl Http {
    pub(super) fn new(
        base_url: &Url,
        api_key: Option<&str>,
        name: &str,
        timeout: Duration,
        retries: u32,
    ) -> Result<Self, ModelError> {
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let value = HeaderValue::from_str(&format!("Bearer {key}"));
            let mut value =
                value.map_err(|_| unavailable(name, "the API key has characters no header may have"))?;
            // Keeps the key out of debug output.
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        crate::install_tls_provider();
        let mut builder = Client::builder();
        if base_url.scheme() == "http" {
            // Otherwise a machine without certificates could not even speak plain HTTP.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .default_headers(headers)
            .timeout(timeout)
            .connect_timeout(Duration::from_secs(5).min(timeout))
            // A redirect could carry the key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| unavailable(name, &format!("no HTTP client: {error}")))?;
        let path = format!("{}/chat/completions", base_url.path().trim_end_matches('/'));
        let mut url = base_url.clone();
        url.set_path(&path);
        let (quiet_until, older) = (Mutex::new(None), AtomicBool::new(false));
        Ok(Self { client, url, name: name.to_owned(), retries, quiet_until, older })
    }

    pub(super) async fn chat(&self, body: &Value) -> Result<Answer, ModelError> {
        let mut tries = 0;
        loop {
            let quiet = self.quiet();
            if quiet > MAX_WAIT {
                return Err(ModelError::Overloaded);
            }
            tokio::time::sleep(quiet).await;
            match self.attempt(body).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Lasting(error)) => return Err(error),
                Err(Failure::Older) => self.older.store(true, Ordering::Relaxed),
                Err(Failure::Passing(error, asked)) => {
                    if let Some(asked) = asked {
                        self.keep_quiet(asked);
                    }
                    if tries >= self.retries {
                        return Err(error);
                    }
                    if asked.is_none() {
                        let doubled = Duration::from_millis(250 << tries.min(6));
                        // Jitter: many waiting clients must not come back at one moment.
                        let wait = doubled.mul_f64(rand::rng().random_range(0.5..1.5));
                        tracing::debug!(model = self.name, %error, ?wait, "trying the model server again");
                        tokio::time::sleep(wait.min(MAX_WAIT)).await;
                    }
                    tries += 1;
                }
            }
        }
    }

    /// How long the server still wants no request.
    fn quiet(&self) -> Duration {
        let until = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    fn keep_quiet(&self, asked: Duration) {
        // A bit more for some than for others, never less than asked.
        let asked = asked + asked.mul_f64(rand::rng().random_range(0.0..0.1));
        let mut until = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        // Far beyond any patience it makes no difference how far.
        let asked = Instant::now().checked_add(asked.min(Duration::from_secs(86_400)));
        *until = (*until).max(asked);
    }

    async fn attempt(&self, body: &Value) -> Result<Answer, Failure> {
        let older = self.older.load(Ordering::Relaxed).then(|| wire::older(body)).flatten();
        let body = older.map_or(Cow::Borrowed(body), Cow::Owned);
        let sent = self.client.post(self.url.clone()).json(&body).send().await;
        let response = sent.map_err(|error| Failure::Passing(self.broken(&error), None))?;
        let status = response.status();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
        let bytes = self.read(response).await?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| {
                Failure::Lasting(ModelError::Failed(format!(
                    "the server's answer is not the protocol's: {error}"
                )))
            });
        }
        let said: String = String::from_utf8_lossy(&bytes).chars().take(300).collect();
        if said.contains("json_object") && wire::older(&body).is_some() {
            return Err(Failure::Older);
        }
        let why = format!("the server answered {status}: {said}");
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS => Failure::Passing(ModelError::Overloaded, asked),
            status if status.is_server_error() => Failure::Passing(ModelError::Failed(why), asked),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Failure::Lasting(unavailable(&self.name, &why))
            }
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                Failure::Lasting(ModelError::BadRequest(why))
            }
            _ => Failure::Lasting(ModelError::Failed(why)),
        })
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_BYTES => bytes.extend_from_slice(&chunk),
                Ok(Some(_)) => {
                    return Err(Failure::Lasting(ModelError::Failed(
                        "the server's answer has no end".to_owned(),
                    )));
                }
                Ok(None) => return Ok(bytes),
                Err(error) => return Err(Failure::Passing(self.broken(&error), None)),
            }
        }
    }

    fn broken(&self, error: &reqwest::Error) -> ModelError {
        let why = match (error.is_timeout(), error.is_connect()) {
            (true, _) => "it did not answer in time",
            (_, true) => "no connection",
            _ => "the connection broke",
        };
        unavailable(&self.name, &format!("{why}: {}", self.url))
    }
}

/// A Retry-After: seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).ok(),
    }
}

pub(super) fn unavailable(name: &str, why: &str) -> ModelError {
    ModelError::Unavailable {
        name: name.to_owned(),
        why: why.to_owned(),
        mend: "Check the server, its address, the model's name and the key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_by_date() {
        assert_eq!(retry_after(" 7"), Some(Duration::from_secs(7)));
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
        let found = retry_after(&later).unwrap().as_secs();
        assert!((80..=90).contains(&found), "{found}");
        for value in ["-1", "soon", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(retry_after(value), None, "{value}");
        }
    }
}
