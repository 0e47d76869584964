//! One HTTP request to a model server, with time limits and a few careful retries.

use std::time::Duration;

use concord_domain::ports::ModelError;
use rand::Rng;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;

use super::wire::Answer;

/// Longest answer read: a server must not fill our memory.
const MAX_BYTES: usize = 8 << 20;

/// Longest wait a server's Retry-After may ask for.
const MAX_WAIT: Duration = Duration::from_secs(30);

pub(super) struct Http {
    client: Client,
    url: Url,
    name: String,
    retries: u32,
}

/// How one try ended, if not well.
enum Failure {
    /// Another try may help, after the time the server asked for.
    Passing(ModelError, Option<Duration>),
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
        Ok(Self { client, url, name: name.to_owned(), retries })
    }

    pub(super) async fn chat(&self, body: &Value) -> Result<Answer, ModelError> {
        let mut tries = 0;
        loop {
            match self.attempt(body).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Lasting(error)) => return Err(error),
                Err(Failure::Passing(error, _)) if tries >= self.retries => return Err(error),
                Err(Failure::Passing(error, asked)) => {
                    let doubled = Duration::from_millis(250 << tries.min(6));
                    // Jitter: many waiting clients must not come back at one moment.
                    let wait = asked.unwrap_or_else(|| doubled.mul_f64(rand::rng().random_range(0.5..1.5)));
                    tracing::debug!(model = self.name, %error, ?wait, "trying the model server again");
                    tokio::time::sleep(wait.min(MAX_WAIT)).await;
                    tries += 1;
                }
            }
        }
    }

    async fn attempt(&self, body: &Value) -> Result<Answer, Failure> {
        let sent = self.client.post(self.url.clone()).json(body).send().await;
        let response = sent.map_err(|error| Failure::Passing(self.broken(&error), None))?;
        let status = response.status();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let asked = asked.map(Duration::from_secs);
        let bytes = self.read(response).await?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| {
                Failure::Lasting(ModelError::Failed(format!(
                    "the server's answer is not the protocol's: {error}"
                )))
            });
        }
        let said: String = String::from_utf8_lossy(&bytes).chars().take(300).collect();
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

pub(super) fn unavailable(name: &str, why: &str) -> ModelError {
    ModelError::Unavailable {
        name: name.to_owned(),
        why: why.to_owned(),
        mend: "Check the server, its address, the model's name and the key".to_owned(),
    }
}
