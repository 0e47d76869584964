//! Keeping the derived tables of the audit up to date: changed samples in, patterns by card out. A cluster
//! that changed is counted anew and replaces what it said before, so folding twice changes nothing.

use super::pattern::Pattern;
use super::tally::{CardKey, Rule, Tally, tally};
use crate::error::OrInternal;
use concord_domain::api;
use concord_store::audit::SampleRow;
use concord_store::{Result, audit, references};
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Samples counted anew at once.
const BATCH: i64 = 8_000;
/// Marks taken in one transaction; those of the same clusters come with them.
const MARKS: i64 = 4_000;
/// One count of everything at a time.
static ANEW: Mutex<()> = Mutex::const_new(());
/// How long a reader waits for what changed to be counted.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a cluster adds, as it is stored: card, pattern, how often.
type Entries = Vec<(i32, Vec<u8>, u32)>;
/// How often a card shows a pattern.
pub(super) type Patterns = BTreeMap<(i32, Vec<u8>), i64>;

/// Folds what has changed since the last time, in batches, and gives the version then. What changes meanwhile waits
/// for the next fold: under load each would otherwise go on for ever, a few samples at a time. When the criteria of
/// a task changed, everything is folded anew.
///
/// # Errors
/// The database's.
pub async fn fold(pool: &PgPool) -> Result<i64> {
    let newest = audit::newest_stale(&mut *pool.acquire().await?).await?.unwrap_or(0);
    loop {
        let mut tx = pool.begin().await?;
        if !audit::is_stale(&mut tx, newest).await? {
            return Ok(audit::version(&mut tx).await?.0);
        }
        audit::lock(&mut tx).await?;
        let mut folder = Folder::open(&mut tx).await?;
        if folder.criteria_changed {
            tx.rollback().await?;
            refold(pool).await?;
            continue;
        }
        let (samples, left) = audit::take_stale(&mut tx, newest, MARKS).await?;
        let clusters = audit::clusters_of(&mut tx, &samples, &left).await?;
        references::refresh(&mut tx, &samples).await?;
        folder.clusters(&mut tx, &clusters).await?;
        folder.close(&mut tx).await?;
        tx.commit().await?;
    }
}

/// Brings counts and monitors up to date for a reader, who waits for [`PATIENCE`] and no longer: after a large import
/// the watch goes on counting. Gives how many changed samples are not in the counts yet.
pub(crate) async fn catch_up(pool: &PgPool) -> api::Result<u64> {
    if let Ok(advanced) = tokio::time::timeout(PATIENCE, super::drift::advance(pool)).await {
        advanced?;
        return Ok(0);
    }
    let mut conn = pool.acquire().await.or_internal()?;
    let waiting = audit::waiting(&mut conn).await.or_internal()?;
    Ok(u64::try_from(waiting).unwrap_or(0))
}

/// Counts everything anew from labels, verdicts and adjudications, in one transaction, in constant memory; rows are
/// read and tallied on connections beside it. Gives how many counts differ from what was kept up to date until then:
/// 0, or something is wrong.
///
/// # Errors
/// The database's.
pub async fn refold(pool: &PgPool) -> Result<u64> {
    // All connections before the lock, which those who hold the others may be waiting for.
    let _one = ANEW.lock().await;
    let mut readers = vec![pool.acquire().await?, pool.acquire().await?];
    let mut tx = pool.begin().await?;
    audit::lock(&mut tx).await?;
    let before = kept(&mut tx).await?;
    audit::clear(&mut tx).await?;
    let mut folder = Folder::open(&mut tx).await?;
    let criteria = Arc::new(folder.criteria.clone());
    audit::list_clusters(&mut tx, BATCH).await?;
    let mut counting = VecDeque::new();
    let mut counted: Option<Counted> = None;
    loop {
        // Both readers are set to work before what one of them has brought is put in place.
        while let Some(reader) = readers.pop() {
            let clusters = audit::next_clusters(&mut tx).await?;
            if clusters.is_empty() {
                break;
            }
            counting.push_back(tokio::spawn(count_anew(reader, clusters, Arc::clone(&criteria))));
        }
        if let Some(Counted { clusters, tally, changed }) = counted.take() {
            references::refresh(&mut tx, &changed).await?;
            folder.replace(&mut tx, &clusters, tally).await?;
        }
        let Some(next) = counting.pop_front() else { break };
        let (reader, brought) = next.await.map_err(|error| inconsistent(&error))??;
        readers.push(reader);
        counted = Some(brought);
    }
    folder.close(&mut tx).await?;
    let now = kept(&mut tx).await?;
    tx.commit().await?;
    let differ = before.iter().filter(|(key, n)| now.get(*key) != Some(n)).count()
        + now.keys().filter(|key| !before.contains_key(*key)).count();
    Ok(differ as u64)
}

/// Clusters counted from their rows.
struct Counted {
    clusters: Vec<i64>,
    tally: Tally,
    /// Samples whose kept references are not what their labels say.
    changed: Vec<Uuid>,
}

async fn count_anew(
    mut conn: PoolConnection<Postgres>,
    clusters: Vec<i64>,
    criteria: Arc<HashMap<String, Vec<String>>>,
) -> Result<(PoolConnection<Postgres>, Counted)> {
    let rows = audit::samples_in(&mut conn, &clusters).await?;
    let (references, changed) = references::anew(&mut conn, &rows).await?;
    let verdicts = audit::verdicts_on(&mut conn, &rows).await?;
    let tally = tally(references, verdicts, &criteria, Rule::Majority);
    Ok((conn, Counted { clusters, tally, changed }))
}

/// Counts everything by another rule, without keeping it.
///
/// # Errors
/// The database's.
pub(super) async fn count_by(
    conn: &mut PgConnection,
    rule: Rule,
) -> Result<BTreeMap<CardKey, Vec<(Pattern, i64)>>> {
    let mut tx = conn.begin().await?;
    let criteria = criteria(&mut tx).await?;
    let mut found: BTreeMap<CardKey, BTreeMap<Vec<u8>, (Pattern, i64)>> = BTreeMap::new();
    audit::list_clusters(&mut tx, BATCH).await?;
    loop {
        let clusters = audit::next_clusters(&mut tx).await?;
        if clusters.is_empty() {
            break;
        }
        let rows = audit::samples_in(&mut tx, &clusters).await?;
        let counted = read(&mut tx, &rows, &criteria, rule).await?;
        for (key, patterns) in counted.clusters.into_values().flatten() {
            for (pattern, times) in patterns {
                let known = found.entry(key.clone()).or_default();
                known.entry(encode(&pattern)?).or_insert((pattern, 0)).1 += i64::from(times);
            }
        }
    }
    Ok(found.into_iter().map(|(key, patterns)| (key, patterns.into_values().collect())).collect())
}

async fn read(
    conn: &mut PgConnection,
    samples: &[SampleRow],
    criteria: &HashMap<String, Vec<String>>,
    rule: Rule,
) -> Result<Tally> {
    let references = references::kept(conn, samples).await?;
    let verdicts = audit::verdicts_on(conn, samples).await?;
    Ok(tally(references, verdicts, criteria, rule))
}

/// Everything kept now.
async fn kept(conn: &mut PgConnection) -> Result<Patterns> {
    let cards: Vec<i32> = audit::cards(conn).await?.into_iter().map(|card| card.id).collect();
    let rows = audit::patterns(conn, &cards).await?;
    Ok(rows.into_iter().map(|(card, pattern, times)| ((card, pattern), times)).collect())
}

async fn criteria(conn: &mut PgConnection) -> Result<HashMap<String, Vec<String>>> {
    Ok(audit::criteria(conn).await?.into_iter().collect())
}

/// A fold under way: the criteria it counts whole samples by, and the cards it knows.
struct Folder {
    criteria: HashMap<String, Vec<String>>,
    criteria_changed: bool,
    cards: HashMap<CardKey, (i32, Arc<str>)>,
}

impl Folder {
    async fn open(conn: &mut PgConnection) -> Result<Self> {
        let criteria = criteria(conn).await?;
        let (version, counted_by) = audit::version(conn).await?;
        let changed = version > 0 && differs(&counted_by, &criteria);
        let cards = audit::cards(conn)
            .await?
            .into_iter()
            .map(|row| {
                let key = CardKey::of(&row);
                (key, (row.id, row.rubric_version.into()))
            })
            .collect();
        Ok(Self { criteria, criteria_changed: changed, cards })
    }

    async fn close(self, conn: &mut PgConnection) -> Result<()> {
        audit::bump(conn, &sorted(&self.criteria)).await
    }

    /// Counts these clusters anew.
    async fn clusters(&mut self, conn: &mut PgConnection, clusters: &[i64]) -> Result<()> {
        let samples = audit::samples_in(conn, clusters).await?;
        let tally = read(conn, &samples, &self.criteria, Rule::Majority).await?;
        self.replace(conn, clusters, tally).await
    }

    /// Puts what these clusters say in place of what they said.
    async fn replace(&mut self, conn: &mut PgConnection, clusters: &[i64], tally: Tally) -> Result<()> {
        self.name_cards(conn, &tally).await?;
        let mut change = Patterns::new();
        for old in audit::entries(conn, clusters).await? {
            for (card, pattern, times) in decode::<Entries>(&old)? {
                *change.entry((card, pattern)).or_default() -= i64::from(times);
            }
        }
        let mut written = Vec::with_capacity(clusters.len());
        for cluster in clusters {
            let mut entries = Entries::new();
            for (key, patterns) in tally.clusters.get(cluster).into_iter().flatten() {
                for (pattern, times) in patterns {
                    let (card, pattern) = (self.cards[key].0, encode(pattern)?);
                    *change.entry((card, pattern.clone())).or_default() += i64::from(*times);
                    entries.push((card, pattern, *times));
                }
            }
            written.push(encode(&entries)?);
        }
        audit::write_entries(conn, clusters, &written).await?;
        change.retain(|_, times| *times != 0);
        let times: Vec<i64> = change.values().copied().collect();
        let (cards, patterns): (Vec<i32>, Vec<Vec<u8>>) = change.into_keys().unzip();
        audit::add_patterns(conn, &cards, &patterns, &times).await
    }

    async fn name_cards(&mut self, conn: &mut PgConnection, tally: &Tally) -> Result<()> {
        for (key, version) in &tally.versions {
            if self.cards.get(key).is_some_and(|(_, known)| known >= version) {
                continue;
            }
            let id =
                audit::card_id(conn, &key.task, &key.criterion, key.judge.as_deref(), key.major, version)
                    .await?;
            self.cards.insert(key.clone(), (id, Arc::clone(version)));
        }
        Ok(())
    }
}

/// The criteria by task in one order, to be compared.
fn sorted(criteria: &HashMap<String, Vec<String>>) -> serde_json::Value {
    let sorted: BTreeMap<_, _> = criteria.iter().collect();
    serde_json::json!(sorted)
}

/// Whether a task's criteria changed since it was counted; a task that is new changes nothing.
fn differs(counted_by: &serde_json::Value, criteria: &HashMap<String, Vec<String>>) -> bool {
    let known = counted_by.as_object().into_iter().flatten();
    known
        .into_iter()
        .any(|(task, names)| criteria.get(task).is_none_or(|now| serde_json::json!(now) != *names))
}

fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    postcard::to_allocvec(value).map_err(|error| inconsistent(&error))
}

/// What [`encode`] wrote.
pub(super) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|error| inconsistent(&error))
}

fn inconsistent(error: &impl std::fmt::Display) -> concord_store::StoreError {
    concord_store::StoreError::Inconsistent {
        table: "audit_clusters",
        column: "entries",
        why: error.to_string(),
    }
}
