//! Simulated annotators of the demo world: accounts whose answers are drawn from its stored truth with noise and bias that
//! are set. They label through the public API over HTTP, like anyone.

use crate::compose::Concord;
use anyhow::{Context, Result, bail};
use concord_domain::{Assignment, NewToken, Role, Rubric};
use concord_pipeline::oracle::{Known, Latent, Said};
use concord_pipeline::truth::TruthWords;
use concord_store::demo;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long somebody who has nothing to label waits.
const IDLE: Duration = Duration::from_millis(500);

/// The people, and how they err.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crowd {
    /// How many.
    pub people: u32,
    /// Probability that an answer is turned round.
    pub noise: f64,
    /// Probability that a right "fail" becomes "pass"; below 0, that a right "pass" becomes "fail".
    pub bias: f64,
    /// Decides whose answer errs where.
    pub seed: u64,
}

impl Crowd {
    /// What somebody answers where this is right.
    fn answer(&self, right: bool, who: u32, sample: &str, criterion: &str) -> bool {
        let draw = |what: &str| {
            let text = format!("{} {who} {sample} {criterion} {what}", self.seed);
            let hash = Sha256::digest(text.as_bytes());
            let bits = hash.iter().take(4).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            f64::from(bits) / f64::from(u32::MAX)
        };
        let leaning = match (right, self.bias) {
            (false, bias) if bias > 0.0 => draw("bias") < bias,
            (true, bias) if bias < 0.0 => draw("bias") >= -bias,
            (right, _) => right,
        };
        leaning != (draw("noise") < self.noise)
    }
}

/// Labels what there is to label until `stop`, each person by themselves; gives how many samples they labelled.
///
/// # Errors
/// When the server refuses what anybody may do.
pub async fn label(concord: &Concord, address: &str, crowd: Crowd, stop: &CancellationToken) -> Result<u64> {
    concord_inference::install_tls_provider();
    let mut people = Vec::new();
    for who in 1..=crowd.people {
        let person = Person {
            token: token(concord, who).await?,
            address: address.to_owned(),
            pool: concord.pool.clone(),
            crowd,
            who,
            rule: TruthWords::shipped()?,
            http: Client::builder().timeout(Duration::from_secs(60)).build()?,
        };
        people.push(person);
    }
    let each = futures::future::try_join_all(people.iter().map(|person| person.work(stop))).await?;
    Ok(each.into_iter().sum())
}

/// A fresh token for the account of this number, which is made where it is not there.
async fn token(concord: &Concord, who: u32) -> Result<String> {
    let email = format!("simulated-{who}@demo.invalid");
    let accounts = &concord.accounts;
    let account = match accounts.find(&email).await? {
        Some(account) => account,
        None => accounts.add_account(&email, Role::Annotator, None).await?,
    };
    let token = NewToken { name: "simulated annotator".into(), scopes: Vec::new(), days: Some(30) };
    let made = accounts.new_token(account.id, None, token).await?;
    made.secret.context("the token has no secret")
}

struct Person {
    http: Client,
    address: String,
    token: String,
    pool: PgPool,
    crowd: Crowd,
    who: u32,
    rule: TruthWords,
}

impl Person {
    async fn work(&self, stop: &CancellationToken) -> Result<u64> {
        let mut done = 0;
        while !stop.is_cancelled() {
            let answer = self.post("/api/v1/queue/next", &json!({"count": 4}), None).await?;
            if answer.status() == StatusCode::NO_CONTENT {
                let _ = tokio::time::timeout(IDLE, stop.cancelled()).await;
                continue;
            }
            if !answer.status().is_success() {
                bail!("the queue says {}: {}", answer.status(), answer.text().await.unwrap_or_default());
            }
            let mut leased: Value = answer.json().await?;
            let leased: Vec<Assignment> = serde_json::from_value(leased["assignments"].take())?;
            for assignment in leased {
                done += u64::from(self.one(&assignment).await?);
            }
        }
        Ok(done)
    }

    /// Answers one, or gives it back where the truth says nothing of it or its place is taken.
    async fn one(&self, assignment: &Assignment) -> Result<bool> {
        let path = |what: &str| format!("/api/v1/assignments/{}/{what}", assignment.id);
        let right = self.right(assignment).await?;
        let Some(right) = right.filter(|_| !assignment.assisted) else {
            self.post(&path("skip"), &json!({"reason": "no truth is stored for this"}), None).await?;
            return Ok(false);
        };
        let answers = self.answers(assignment, &right)?;
        let body = json!({"phase": "blind", "answers": answers});
        let key = format!("simulated-{}-{}", self.who, assignment.id);
        let answer = self.post(&path("labels"), &body, Some(&key)).await?;
        match answer.status() {
            StatusCode::CREATED => Ok(true),
            // Another took the place, or the lease ran out: as it goes.
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => Ok(false),
            status => bail!("a label is refused with {status}: {}", answer.text().await.unwrap_or_default()),
        }
    }

    fn answers(&self, assignment: &Assignment, right: &[(&'static str, bool)]) -> Result<Vec<Value>> {
        let sample = assignment.sample.id.to_string();
        let rubric: &Rubric = &assignment.rubric;
        rubric
            .criteria
            .iter()
            .map(|criterion| {
                // A criterion that the rules know nothing of is met.
                let met = right.iter().find(|(name, _)| *name == criterion.name).is_none_or(|(_, met)| *met);
                let says = self.crowd.answer(met, self.who, &sample, &criterion.name);
                let label = criterion.first_label(says).context("a criterion without both sides")?;
                Ok(json!({"criterion": criterion.name, "label": label.name}))
            })
            .collect()
    }

    /// What is right to say of a sample; `None` where no truth is stored of its user.
    async fn right(&self, assignment: &Assignment) -> Result<Option<Vec<(&'static str, bool)>>> {
        let sample = &assignment.sample;
        let mut conn = self.pool.acquire().await?;
        let Some(asked) = demo::asked(&mut conn, sample.id).await? else { return Ok(None) };
        let known = known(demo::truth(&mut conn, asked.user).await?);
        let link = |kind: &str| sample.chain.iter().find(|it| it.kind == kind).map(|it| it.text.as_str());
        let said = Said {
            task: &sample.task,
            text: &sample.text,
            interest: link("interest"),
            tag: link("tag"),
            category: asked.category.as_deref(),
            item: link("item"),
        };
        Ok(Some(known.right(&self.rule, &said)))
    }

    async fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Result<reqwest::Response> {
        let mut request =
            self.http.post(format!("{}{path}", self.address)).bearer_auth(&self.token).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        Ok(request.send().await?)
    }
}

fn known(truth: Vec<demo::True>) -> Known {
    let mut known = Known::default();
    for it in truth {
        if it.kind == "interest" {
            let name = |lang: &str| it.body["name"][lang].as_str().map(str::to_owned);
            known.interests.push(Latent {
                names: ["en", "zh"].into_iter().filter_map(name).collect(),
                titles: it.titles,
                categories: it.categories.into_iter().collect(),
            });
        } else {
            known.others.extend(it.titles);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::Crowd;

    #[test]
    fn noise_and_bias_are_what_they_are_set_to() {
        let share = |crowd: Crowd, right: bool| {
            let passes = (0..4_000).filter(|n| crowd.answer(right, 1, &n.to_string(), "relevance")).count();
            passes as f64 / 4_000.0
        };
        let crowd = |noise, bias| Crowd { people: 1, noise, bias, seed: 3 };
        assert_eq!((share(crowd(0.0, 0.0), true), share(crowd(0.0, 0.0), false)), (1.0, 0.0));
        assert!((share(crowd(0.1, 0.0), true) - 0.9).abs() < 0.02);
        assert!((share(crowd(0.0, 0.3), false) - 0.3).abs() < 0.03 && share(crowd(0.0, 0.3), true) == 1.0);
        assert!((share(crowd(0.0, -0.3), true) - 0.7).abs() < 0.03 && share(crowd(0.0, -0.3), false) == 0.0);
    }

    #[test]
    fn people_err_apart_and_the_same_way_every_time() {
        let crowd = Crowd { people: 2, noise: 0.5, bias: 0.0, seed: 1 };
        let of = |who| (0..64).map(|n| crowd.answer(true, who, &n.to_string(), "x")).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
