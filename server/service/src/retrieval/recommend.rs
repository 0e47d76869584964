//! Recommendations: the user's vector and tags become queries (paper §4, online), the nearest items come back with what
//! each rests on. Everything is looked up; no model writes a word.

use super::index::{Backend, Ready, Serving};
use super::{StoredSettings, Trouble};
use crate::error::{OrInternal, internal};
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Asked, Capability, Error, ItemEssentials, RecommendExplanation, RecommendLink, RecommendRequest,
    RecommendTag, Recommendation, Recommendations, User,
};
use concord_retrieval::evaluate::{Scheme, fuse};
use concord_store::retrieval::{self as store, LinkRow};
use concord_store::{items, users};
use sqlx::{PgConnection, PgPool};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Items where nothing is said, and at most.
const USUAL: u32 = 20;
const MOST: u32 = 100;
/// Tags of a generation that are asked for at most (paper: 50 and more are written, 30 measured).
const TAGS: usize = 50;

/// The recommending use case.
#[derive(Clone)]
pub struct RecommendService {
    pool: PgPool,
    serving: Arc<Serving>,
}

/// What a user is asked with.
struct Question {
    own: Option<Vec<f32>>,
    tags: Vec<RecommendTag>,
    /// By tag; `None`: the tower knows no word of it.
    vectors: Vec<Option<Vec<f32>>>,
    from: &'static str,
}

/// An item found, with its scores.
struct Found {
    item: i64,
    score: f32,
    col: Option<f32>,
    /// As the score used it: the mean of the tags, or the best.
    sem: Option<f32>,
    /// The tag that fits best.
    tag: Option<usize>,
}

impl RecommendService {
    /// On this database, searching like this.
    #[must_use]
    pub fn new(pool: PgPool, backend: Backend) -> Self {
        Self { serving: Arc::new(Serving::new(pool.clone(), backend)), pool }
    }

    async fn ready(&self) -> Result<Arc<Ready>> {
        let ready = self.serving.ready().await.map_err(of_trouble)?;
        ready.ok_or_else(|| Error::Unavailable {
            what: "the recommendation model".into(),
            mend: "none is trained and indexed yet: run concord retrieve train, then concord retrieve index"
                .into(),
        })
    }

    async fn question(
        &self,
        conn: &mut PgConnection,
        ready: &Ready,
        user: &User,
    ) -> Result<(Question, Vec<LinkRow>)> {
        let own = store::user_vector(conn, ready.id, user.id).await.or_internal()?;
        let interests = store::newest_samples(conn, user.id, "interest").await.or_internal()?;
        let of: HashMap<_, _> = interests.iter().map(|it| (it.id, it.text.as_str())).collect();
        let written = store::newest_samples(conn, user.id, "tag").await.or_internal()?;
        let written = written.into_iter().take(TAGS).map(|tag| RecommendTag {
            interest: tag.parent.and_then(|id| of.get(&id)).map(|text| (*text).to_owned()),
            sample: Some(tag.id),
            text: tag.text,
            known: false,
        });
        let mut question = ask(ready, own, written.collect(), "written")?;
        if question.vectors.iter().all(Option::is_none) {
            let limit = i64::try_from(ready.settings.ask.tags).unwrap_or(10);
            let titles = store::latest_titles(conn, user.id, limit).await.or_internal()?;
            let title = |text| RecommendTag { text, sample: None, interest: None, known: false };
            question = ask(ready, question.own, titles.into_iter().map(title).collect(), "titles")?;
        }
        Ok((question, interests))
    }
}

/// The tags' vectors, where the model has a tower for them and β leaves them any weight.
fn ask(
    ready: &Ready,
    own: Option<Vec<f32>>,
    mut tags: Vec<RecommendTag>,
    from: &'static str,
) -> Result<Question> {
    let StoredSettings { train, ask } = ready.settings;
    if !train.tags || ask.beta >= 1.0 {
        tags.clear();
    }
    let texts: Vec<&str> = tags.iter().map(|tag| tag.text.as_str()).collect();
    let vectors =
        if texts.is_empty() { Vec::new() } else { ready.model.tags(&texts).map_err(|why| internal(&why))? };
    tags.iter_mut().zip(&vectors).for_each(|(tag, vector)| tag.known = vector.is_some());
    let from = if tags.is_empty() { "none" } else { from };
    Ok(Question { own, tags, vectors, from })
}

#[async_trait]
impl api::Recommend for RecommendService {
    async fn people(&self, actor: &Actor) -> Result<Vec<String>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        store::with_tags(&mut conn).await.or_internal()
    }

    async fn recommend(
        &self,
        actor: &Actor,
        user: &str,
        request: RecommendRequest,
    ) -> Result<Recommendations> {
        actor.require(Capability::ReadAll)?;
        let k = request.k.unwrap_or(USUAL);
        if !(1..=MOST).contains(&k) {
            return Err(Error::invalid("k", format!("1 to {MOST}")));
        }
        if user.chars().count() > 256 || user.contains('\0') {
            return Err(Error::invalid("user", "at most 256 characters, no NUL"));
        }
        let ready = self.ready().await?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let user =
            users::by_key(&mut conn, user).await.or_internal()?.ok_or_else(|| Error::not_found("user"))?;
        let (question, interests) = self.question(&mut conn, &ready, &user).await?;
        let met: HashSet<i64> = store::met(&mut conn, user.id).await.or_internal()?.into_iter().collect();
        drop(conn);
        let found = find(&ready, &question, k as usize, &met).await?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let ids: Vec<i64> = found.iter().map(|it| it.item).collect();
        let essentials = items::essentials(&mut conn, &ids).await.or_internal()?;
        let explained = explanations(&mut conn, user.id, &ids).await?;
        let ask = ready.settings.ask;
        Ok(Recommendations {
            user: user.key,
            model: ready.id,
            asked: Asked {
                beta: ask.beta,
                scheme: if ask.scheme == Scheme::Mean { "mean" } else { "max" }.into(),
                tags_from: question.from.into(),
                user_known: question.own.is_some(),
            },
            interests: interests.iter().map(link).collect(),
            tags: question.tags,
            items: dress(found, essentials, explained),
        })
    }
}

/// The best items over all queries, with the parts of each one's score.
async fn find(ready: &Ready, question: &Question, k: usize, met: &HashSet<i64>) -> Result<Vec<Found>> {
    let ask = ready.settings.ask;
    let tags: Vec<&[f32]> = question.vectors.iter().flatten().map(Vec::as_slice).collect();
    let nothing = vec![0.0; ready.settings.train.width];
    let queries = match &question.own {
        Some(own) => fuse(own, &tags, ask.beta, ask.scheme),
        // Somebody new is known by their tags alone.
        None if !tags.is_empty() => fuse(&nothing, &tags, 0.0, ask.scheme),
        None => {
            let why = "neither the model nor tags know this user yet: train again, or generate tags";
            return Err(Error::conflict("user_unknown", why));
        }
    };
    let mut best: HashMap<i64, f32> = HashMap::new();
    for hit in ready.nearest(&queries, k, met).await.map_err(of_trouble)?.into_iter().flatten() {
        let score = best.entry(hit.item).or_insert(hit.score);
        *score = score.max(hit.score);
    }
    let mut best: Vec<(i64, f32)> = best.into_iter().collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    best.truncate(k);
    let parts = |(item, score): (i64, f32)| {
        let vector = ready.items.get(&item);
        let with = |other: &[f32]| vector.map(|it| it.iter().zip(other).map(|(a, b)| a * b).sum::<f32>());
        let sems: Vec<(usize, f32)> =
            (0..).zip(&question.vectors).filter_map(|(n, tag)| Some((n, with(tag.as_deref()?)?))).collect();
        let fits = sems.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied();
        let sem = match ask.scheme {
            Scheme::Mean => fits.map(|_| sems.iter().map(|it| it.1).sum::<f32>() / sems.len() as f32),
            Scheme::Max => fits.map(|it| it.1),
        };
        Found { item, score, col: question.own.as_deref().and_then(with), sem, tag: fits.map(|it| it.0) }
    };
    Ok(best.into_iter().map(parts).collect())
}

/// What is stored for these items: a line written for this user, else the table's for one of their interests.
async fn explanations(
    conn: &mut PgConnection,
    user: i64,
    items: &[i64],
) -> Result<HashMap<i64, RecommendExplanation>> {
    let mut found = HashMap::new();
    for line in crate::pipeline::look_up(conn, user, items).await.or_internal()? {
        let it = RecommendExplanation {
            text: line.text,
            lang: line.lang,
            sample: None,
            interest: Some(line.interest),
        };
        found.insert(line.item_id, it);
    }
    for row in store::newest_samples(conn, user, "explanation").await.or_internal()? {
        let Some(item) = row.item else { continue };
        let it =
            RecommendExplanation { text: row.text, lang: row.lang, sample: Some(row.id), interest: None };
        found.insert(item, it);
    }
    Ok(found)
}

fn dress(
    found: Vec<Found>,
    essentials: Vec<ItemEssentials>,
    mut explained: HashMap<i64, RecommendExplanation>,
) -> Vec<Recommendation> {
    let mut essentials: HashMap<i64, ItemEssentials> = essentials.into_iter().map(|it| (it.id, it)).collect();
    let dressed = found.into_iter().filter_map(|it| {
        let item = essentials.remove(&it.item)?;
        Some(Recommendation {
            item: item.key,
            title: item.title.unwrap_or_default(),
            category: item.category,
            col: it.col,
            sem: it.sem,
            score: it.score,
            tag: it.tag.and_then(|n| u32::try_from(n).ok()),
            explanation: explained.remove(&it.item),
        })
    });
    dressed.collect()
}

fn link(row: &LinkRow) -> RecommendLink {
    RecommendLink { sample: row.id, text: row.text.clone(), lang: row.lang.clone() }
}

fn of_trouble(trouble: Trouble) -> Error {
    match trouble {
        Trouble::Store(error) => Err::<(), _>(error).or_internal().expect_err("it is an error"),
        Trouble::Database(error) => Err::<(), _>(error).or_internal().expect_err("it is an error"),
        other => internal(&other),
    }
}
