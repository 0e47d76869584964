//! Qdrant over its REST interface: a collection a model, points numbered by item.

use super::{Outside, Trouble};
use async_trait::async_trait;
use concord_retrieval::Hit;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use uuid::Uuid;

/// Points sent at a time: Qdrant refuses bodies beyond 32 MB.
const POINTS: usize = 500;

/// A server.
#[derive(Clone)]
pub struct Qdrant {
    client: reqwest::Client,
    url: String,
    key: Option<String>,
}

impl std::fmt::Debug for Qdrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qdrant").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Found {
    result: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    id: i64,
    score: f32,
}

impl Qdrant {
    /// At this address, with an API key if it asks for one.
    ///
    /// # Errors
    /// When there can be no client.
    pub fn new(url: &str, key: Option<String>) -> Result<Self, Trouble> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build();
        let client = client.map_err(|why| Trouble::Outside(format!("Qdrant: {why}")))?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), key })
    }

    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>, Trouble> {
        let failed = |why: String| Trouble::Outside(format!("Qdrant at {}: {why}", self.url));
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(key) = &self.key {
            request = request.header("api-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|why| failed(why.to_string()))?;
        let status = answer.status();
        if status == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let text = answer.text().await.map_err(|why| failed(why.to_string()))?;
        if !status.is_success() {
            return Err(failed(format!("{status}: {}", text.chars().take(300).collect::<String>())));
        }
        serde_json::from_str(&text).map(Some).map_err(|why| failed(why.to_string()))
    }
}

fn collection(model: Uuid) -> String {
    format!("/collections/concord_{}", model.simple())
}

#[async_trait]
impl Outside for Qdrant {
    async fn put(&self, model: Uuid, ids: &[i64], vectors: &[f32]) -> Result<(), Trouble> {
        let width = (vectors.len() / ids.len().max(1)).max(1);
        let collection = collection(model);
        self.call(reqwest::Method::DELETE, &collection, None).await?;
        let made = json!({"vectors": {"size": width, "distance": "Dot"}});
        self.call(reqwest::Method::PUT, &collection, Some(&made)).await?;
        for (ids, values) in ids.chunks(POINTS).zip(vectors.chunks(POINTS * width)) {
            let points = ids.iter().zip(values.chunks_exact(width));
            let points: Vec<Value> = points.map(|(id, vector)| json!({"id": id, "vector": vector})).collect();
            let path = format!("{collection}/points?wait=true");
            self.call(reqwest::Method::PUT, &path, Some(&json!({"points": points}))).await?;
        }
        Ok(())
    }

    async fn nearest(
        &self,
        model: Uuid,
        query: &[f32],
        k: usize,
        without: &HashSet<i64>,
    ) -> Result<Vec<Hit>, Trouble> {
        let mut body = json!({"vector": query, "limit": k});
        if !without.is_empty() {
            let ids: Vec<i64> = without.iter().copied().collect();
            body["filter"] = json!({"must_not": [{"has_id": ids}]});
        }
        let path = format!("{}/points/search", collection(model));
        let answer = self.call(reqwest::Method::POST, &path, Some(&body)).await?;
        let missing =
            || Trouble::Outside("Qdrant does not have this model: run concord retrieve index".into());
        let found: Found = serde_json::from_value(answer.ok_or_else(missing)?)
            .map_err(|why| Trouble::Outside(why.to_string()))?;
        Ok(found.result.into_iter().map(|point| Hit { item: point.id, score: point.score }).collect())
    }
}
