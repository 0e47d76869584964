//! What texts are compared through: φ for their category, a cosine from which two are the same thing, the brands that no
//! tag may name. Made from the catalogue when first needed, and again when it has grown by a fifth.

use crate::jobs::{JobError, Progress};
use concord_domain::PhiReport;
use concord_domain::ports::{EmbedKind, Embedder};
use concord_pipeline::tags::brand_key;
use concord_retrieval::{Phi, PhiTraining};
use concord_store::phi::{self, StoredPhi};
use jiff::Timestamp;
use sqlx::PgPool;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use uuid::Uuid;

/// Titles that φ is trained on at most: more change its weights little and take long to embed.
const TITLES: i64 = 20_000;
/// Categories at most.
const CATEGORIES: usize = 4000;
/// Titles that every other is compared with, to see how alike different things are.
const COMPARED: usize = 300;
/// Share of pairs of different things that are less alike than what counts as the same thing.
const NEAR: f64 = 0.999;
/// Brands looked for at most.
const BRANDS: i64 = 200_000;
/// Vectors of short texts kept.
const KEPT: usize = 20_000;
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// φ and what stands beside it.
#[derive(Debug)]
pub struct Sight {
    /// φ; `None` where the catalogue has no two categories.
    pub phi: Option<Phi>,
    /// Cosine from which two texts are the same thing in other words.
    pub near: f32,
    /// Brands, as rules look them up.
    pub brands: HashSet<String>,
    /// How φ was trained.
    pub report: PhiReport,
}

impl Sight {
    /// The category of a vector: its place and name.
    #[must_use]
    pub fn category(&self, vector: &[f32]) -> Option<(usize, &str)> {
        let phi = self.phi.as_ref()?;
        phi.best(vector).and_then(|place| Some((place, phi.categories().get(place)?.as_str())))
    }
}

/// The sight there is, and vectors of short texts.
#[derive(Debug, Default)]
pub struct Lens {
    sight: Mutex<Option<(Instant, String, Arc<Sight>)>>,
    vectors: Mutex<(String, HashMap<String, Vec<f32>>)>,
}

impl Lens {
    /// The sight by this embedder: that of memory, else of the database, else trained now.
    ///
    /// # Errors
    /// [`JobError`] of the database or the embedder.
    pub async fn ready(
        &self,
        pool: &PgPool,
        embedder: &dyn Embedder,
        progress: &Progress,
    ) -> Result<Arc<Sight>, JobError> {
        // Held while training: a second worker waits here instead of training the same.
        let mut sight = self.sight.lock().await;
        let name = name_of(embedder).await?;
        if let Some((since, of, sight)) = sight.as_ref()
            && *of == name
            && since.elapsed() < LOOK_AGAIN
        {
            return Ok(Arc::clone(sight));
        }
        let mut conn = pool.acquire().await?;
        let items = phi::titled_items(&mut conn).await?;
        let stored = phi::newest(&mut conn, &name).await?;
        let brands = phi::brands(&mut conn, BRANDS).await?;
        drop(conn);
        let stored = match stored.filter(|stored| items * 5 <= stored.report.items * 6) {
            Some(stored) => stored,
            None => {
                progress.say(0, 0, "learning categories from the catalogue's titles").await;
                train(pool, embedder, 1).await?
            }
        };
        let brands = brands.iter().filter_map(|brand| brand_key(brand)).collect();
        let StoredPhi { report, near, dim, categories, weights } = stored;
        let made = Arc::new(Sight { phi: Phi::restore(dim, categories, weights), near, brands, report });
        *sight = Some((Instant::now(), name, Arc::clone(&made)));
        Ok(made)
    }

    /// Forgets what is in memory: something new is stored.
    pub async fn look_again(&self) {
        *self.sight.lock().await = None;
    }

    /// Unit vectors of short texts; those seen before come from memory.
    ///
    /// # Errors
    /// The embedder's.
    pub async fn vectors(
        &self,
        embedder: &dyn Embedder,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, JobError> {
        let name = name_of(embedder).await?;
        let mut kept = self.vectors.lock().await;
        if kept.0 != name || kept.1.len() > KEPT {
            *kept = (name, HashMap::new());
        }
        let mut missing: Vec<String> =
            texts.iter().filter(|text| !kept.1.contains_key(*text)).cloned().collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            let made = embedder.embed(EmbedKind::Query, missing.clone()).await?;
            kept.1.extend(missing.into_iter().zip(made));
        }
        Ok(texts.iter().map(|text| kept.1.get(text).cloned().unwrap_or_default()).collect())
    }
}

/// The embedder's name and the beginning of its hash.
///
/// # Errors
/// The embedder's.
pub async fn name_of(embedder: &dyn Embedder) -> Result<String, JobError> {
    let info = embedder.info().await?;
    Ok(format!("{}@{}", info.name, info.hash.get(..12).unwrap_or(&info.hash)))
}

/// Trains φ on the catalogue's titles, one in five held out, and stores it.
///
/// # Errors
/// [`JobError`] of the database or the embedder.
pub async fn train(pool: &PgPool, embedder: &dyn Embedder, seed: u64) -> Result<StoredPhi, JobError> {
    let embedder_name = name_of(embedder).await?;
    let mut conn = pool.acquire().await?;
    let items = phi::titled_items(&mut conn).await?;
    let titles = phi::titles(&mut conn, TITLES).await?;
    drop(conn);
    let texts: Vec<String> = titles.iter().map(|(_, title, _)| title.clone()).collect();
    // A title alone: the category must not be read off the text.
    let vectors = embedder.embed(EmbedKind::Query, texts).await?;
    let names: BTreeMap<String, String> =
        titles.iter().filter_map(|(.., path)| Some((path.join(" > "), path.last()?.clone()))).collect();
    let paths: Vec<String> = titles.into_iter().map(|(.., path)| path.join(" > ")).collect();
    let (named, names): (Vec<String>, Vec<String>) = names.into_iter().unzip();
    let names = named.into_iter().zip(embedder.embed(EmbedKind::Query, names).await?).collect();
    let learn = move || learn(&vectors, &paths, &names, seed);
    let learnt = tokio::task::spawn_blocking(learn).await;
    let mut model = learnt.map_err(|error| JobError::again(5, format!("training φ failed: {error}")))?;
    model.report.embedder = embedder_name;
    model.report.items = items;
    let mut conn = pool.acquire().await?;
    phi::insert(&mut conn, Uuid::now_v7(), &model).await?;
    Ok(model)
}

/// φ and the cosine of the same thing, from vectors and the category path of each, empty where there is none. The innermost
/// name of a category is a row as well: a tag may be of things that no title is about yet.
fn learn(vectors: &[Vec<f32>], paths: &[String], names: &BTreeMap<String, Vec<f32>>, seed: u64) -> StoredPhi {
    let (mut train, mut test): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (n, place) in (0..paths.len()).filter(|place| !paths[*place].is_empty()).enumerate() {
        if n % 5 == 4 { test.push(place) } else { train.push(place) }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    train.iter().for_each(|place| *counts.entry(&paths[*place]).or_default() += 1);
    let mut by_size: Vec<(&str, usize)> = counts.into_iter().collect();
    by_size.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut categories: Vec<String> =
        by_size.into_iter().take(CATEGORIES).map(|(path, _)| path.to_owned()).collect();
    categories.sort_unstable();
    let place_of = |path: &str| categories.binary_search_by(|it| it.as_str().cmp(path)).ok();
    let mut rows: Vec<(&[f32], usize)> =
        train.iter().filter_map(|it| Some((vectors[*it].as_slice(), place_of(&paths[*it])?))).collect();
    let titles = rows.len();
    rows.extend(names.iter().filter_map(|(path, vector)| Some((vector.as_slice(), place_of(path)?))));
    let phi = Phi::train(&rows, categories.clone(), &PhiTraining { seed, ..PhiTraining::default() });
    let (mut correct, mut in_five) = (0, 0);
    for place in test.iter().filter(|_| phi.is_some()) {
        let scores = phi.as_ref().map(|phi| phi.scores(&vectors[*place])).unwrap_or_default();
        let Some(of) = place_of(&paths[*place]).filter(|of| *of < scores.len()) else { continue };
        let ahead = scores.iter().filter(|score| **score > scores[of]).count();
        correct += i64::from(ahead == 0);
        in_five += i64::from(ahead < 5);
    }
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    StoredPhi {
        report: PhiReport {
            embedder: String::new(),
            categories: if phi.is_some() { count(categories.len()) } else { 0 },
            items: 0,
            trained_on: if phi.is_some() { count(titles) } else { 0 },
            held_out: if phi.is_some() { count(test.len()) } else { 0 },
            correct,
            correct_in_five: in_five,
            seed: seed.cast_signed(),
            created_at: Timestamp::now(),
        },
        near: near(vectors),
        dim: vectors.first().map_or(0, Vec::len),
        categories: if phi.is_some() { categories } else { Vec::new() },
        weights: phi.map(|phi| phi.weights().to_vec()).unwrap_or_default(),
    }
}

/// How alike two things of the catalogue hardly ever are. Embedders differ in what a cosine means, so it is read off this one.
fn near(vectors: &[Vec<f32>]) -> f32 {
    let some = &vectors[..vectors.len().min(COMPARED)];
    let mut cosines: Vec<f32> = Vec::new();
    for (n, a) in some.iter().enumerate() {
        cosines.extend(some[..n].iter().map(|b| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()));
    }
    cosines.sort_by(f32::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some thousand"
    )]
    let place = (cosines.len() as f64 * NEAR) as usize;
    // With hardly any things there is nothing to read it off: only what is the same text then counts.
    cosines.get(place).copied().filter(|_| cosines.len() >= 1000).unwrap_or(0.999).clamp(0.5, 0.999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_learnt_and_one_in_five_is_held_out() {
        let unit = |x: f32, y: f32| {
            let length = (x * x + y * y).sqrt();
            vec![x / length, y / length]
        };
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let vectors: Vec<Vec<f32>> = (0..100)
            .map(|n| if n % 2 == 0 { unit(1.0, n as f32 / 200.0) } else { unit(n as f32 / 200.0, 1.0) })
            .collect();
        let paths: Vec<String> = (0..100)
            .map(|n| {
                if n == 50 {
                    ""
                } else if n % 2 == 0 {
                    "A > B"
                } else {
                    "C"
                }
                .to_owned()
            })
            .collect();
        let model = learn(&vectors, &paths, &BTreeMap::new(), 1);
        assert_eq!(model.categories, ["A > B", "C"]);
        assert_eq!((model.report.trained_on, model.report.held_out), (80, 19));
        assert!(model.report.correct >= 18, "{}", model.report.correct);
        let named = BTreeMap::from([
            ("C".to_owned(), unit(-1.0, 0.1)),
            ("no title is here".to_owned(), unit(1.0, 0.0)),
        ]);
        let model = learn(&vectors, &paths, &named, 1);
        assert_eq!((model.categories.len(), model.report.trained_on), (2, 80), "a name is no title");
        let phi = Phi::restore(model.dim, model.categories, model.weights).expect("fits");
        assert_eq!(phi.best(&unit(-1.0, 0.0)), Some(1), "learnt from its name: no title is near");
        let none = learn(&vectors, &vec![String::new(); 100], &BTreeMap::new(), 1);
        assert_eq!((none.report.categories, none.weights.len(), none.report.held_out), (0, 0, 0));
        assert!((0.5..=0.999).contains(&none.near));
    }
}
