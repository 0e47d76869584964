//! The audit log's chain: sealed in the background, verified from end to end by whoever doubts it.

use concord_store::audit_log::{self, Block, LEAF, NO_HASH};
use concord_store::{Result, StoreError};
use futures::TryStreamExt;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// How long a row waits to be sealed: a few transactions together cost one block.
const EVERY: Duration = Duration::from_secs(2);
/// More is no news: the log is not to be trusted, and the first tell where to look.
const MOST_PROBLEMS: usize = 100;
/// The tables by the number they have in the chain.
const KINDS: [&str; 5] = ["audit_events", "submissions", "labels", "verdicts", "adjudications"];

/// A kind in the chain and an id in hexadecimal.
type RowKey = (i16, [u8; 16]);

/// Something the chain does not vouch for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The block that shows it; 0: none.
    pub block: i64,
    /// In words, with the table and id where there is one.
    pub what: String,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Nothing is wrong.
    pub ok: bool,
    /// Blocks read.
    pub blocks: i64,
    /// Rows they cover.
    pub entries: i64,
    /// Of these, rows deleted at a person's request, each named by its receipt.
    pub erased: i64,
    /// Rows not sealed yet: a few, while people work.
    pub unsealed: i64,
    /// The last hash, hexadecimal. Keep it elsewhere: a later log must still contain it.
    pub head: String,
    /// SHA-256 over the rows not sealed yet.
    pub tail: String,
    /// What is wrong, the first hundred.
    pub problems: Vec<Problem>,
}

/// Seals everything settled; gives the rows sealed.
///
/// # Errors
/// The database's.
pub async fn seal(pool: &PgPool) -> Result<i64> {
    let mut sealed = 0;
    loop {
        let mut tx = pool.begin().await?;
        let rows = audit_log::seal(&mut tx).await?;
        tx.commit().await?;
        match rows {
            Some(0) | None => return Ok(sealed),
            Some(rows) => sealed += rows,
        }
    }
}

/// Seals until told to stop, and once more then.
pub async fn keep_sealed(pool: PgPool, mut stop: watch::Receiver<bool>) {
    loop {
        let stopped = *stop.borrow();
        if let Err(error) = seal(&pool).await {
            tracing::warn!(%error, "the audit log was not sealed; trying again");
        }
        if stopped {
            return;
        }
        let _ = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await;
    }
}

/// Reads the whole chain and the rows it covers, in one snapshot. `kept` is a head that was noted earlier.
///
/// # Errors
/// The database's.
pub async fn verify(pool: &PgPool, kept: Option<&[u8]>) -> Result<Verified> {
    let mut tx = concord_store::snapshot(pool).await?;
    let verified = verify_in(&mut tx, kept).await?;
    tx.commit().await?;
    Ok(verified)
}

/// The same in a snapshot that the caller holds.
///
/// # Errors
/// The database's.
pub async fn verify_in(conn: &mut PgConnection, kept: Option<&[u8]>) -> Result<Verified> {
    let erased = audit_log::erased(conn).await?;
    let told: HashMap<_, _> = audit_log::erasures(conn).await?.into_iter().collect();
    let mut walk = Walk::new(&erased);
    walk.check_receipts(&erased, &told);
    let mut blocks = audit_log::blocks(conn);
    while let Some(block) = blocks.try_next().await? {
        walk.block(&block)?;
    }
    drop(blocks);
    let (unsealed, tail) = audit_log::tail(conn, walk.to_tx).await?;
    // Before the first block is sealed the head is all zeros, and every chain begins there.
    if let Some(kept) = kept.filter(|kept| kept.iter().any(|byte| *byte != 0))
        && !audit_log::has_hash(conn, kept).await?
    {
        walk.problem(0, format!("no block has the hash {} that was noted", hex(kept)));
    }
    Ok(Verified {
        ok: walk.problems.is_empty(),
        blocks: walk.number,
        entries: walk.entries,
        erased: walk.gone,
        unsealed,
        head: hex(&walk.hash),
        tail: hex(&tail),
        problems: walk.problems,
    })
}

/// SHA-256 over the rows of an erasure, as its event holds it. They must be in the order of kind and id.
#[must_use]
pub fn rows_sha256(rows: &[(i16, Uuid)]) -> String {
    let mut hash = Sha256::new();
    for (kind, id) in rows {
        hash.update(kind.to_be_bytes());
        hash.update(id.as_bytes());
    }
    hex(&hash.finalize())
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A walk along the chain.
struct Walk {
    erased: HashSet<RowKey>,
    number: i64,
    to_tx: i64,
    hash: Vec<u8>,
    entries: i64,
    gone: i64,
    problems: Vec<Problem>,
}

impl Walk {
    fn new(erased: &[(i16, Uuid, Uuid)]) -> Self {
        Self {
            erased: erased.iter().map(|(kind, id, _)| (*kind, *id.as_bytes())).collect(),
            number: 0,
            to_tx: 0,
            hash: NO_HASH.to_vec(),
            entries: 0,
            gone: 0,
            problems: Vec::new(),
        }
    }

    /// Each list of erased rows must be the one that its event tells of.
    fn check_receipts(&mut self, erased: &[(i16, Uuid, Uuid)], told: &HashMap<String, Option<String>>) {
        let mut lists: BTreeMap<Uuid, Vec<(i16, Uuid)>> = BTreeMap::new();
        for (kind, id, erasure) in erased {
            lists.entry(*erasure).or_default().push((*kind, *id));
        }
        for (erasure, rows) in lists {
            if told.get(&erasure.to_string()).and_then(Option::as_ref) != Some(&rows_sha256(&rows)) {
                self.problem(
                    0,
                    format!("the list of rows erased by {erasure} is not the one its event tells of"),
                );
            }
        }
    }

    fn block(&mut self, block: &Block) -> Result<()> {
        if block.block != self.number + 1 || block.from_tx < self.to_tx {
            self.problem(block.block, format!("does not follow block {}", self.number));
        }
        if hash(&self.hash, block) != block.hash {
            self.problem(block.block, "its hash is not that of its contents and the block before".into());
        }
        if let Some(now) = &block.now {
            self.differences(block.block, &leaves(&block.leaves)?, &leaves(now)?);
        }
        (self.number, self.to_tx) = (block.block, block.to_tx);
        self.hash.clone_from(&block.hash);
        self.entries += i64::from(block.entries);
        Ok(())
    }

    fn differences(&mut self, block: i64, sealed: &BTreeMap<RowKey, &[u8]>, now: &BTreeMap<RowKey, &[u8]>) {
        for (key, hash) in sealed {
            match now.get(key) {
                Some(found) if found == hash => {}
                Some(_) => self.problem(block, format!("{} was changed", named(*key))),
                None if self.erased.contains(key) => self.gone += 1,
                None => self.problem(block, format!("{} is gone", named(*key))),
            }
        }
        for key in now.keys().filter(|key| !sealed.contains_key(*key)) {
            self.problem(block, format!("{} was added after the block was sealed", named(*key)));
        }
    }

    fn problem(&mut self, block: i64, what: String) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem { block, what });
        }
    }
}

/// The hash a block must have.
fn hash(before: &[u8], block: &Block) -> Vec<u8> {
    let Block { block: number, from_tx, to_tx, entries, sealed_at, leaves, .. } = block;
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(format!("{number}|{from_tx}|{to_tx}|{entries}|{sealed_at}"));
    hash.update(Sha256::digest(leaves));
    hash.finalize().to_vec()
}

/// The hash of each row in packed leaves.
fn leaves(packed: &[u8]) -> Result<BTreeMap<RowKey, &[u8]>> {
    let inconsistent = || StoreError::Inconsistent {
        table: "audit_log_blocks",
        column: "leaves",
        why: format!("{} bytes are no whole number of leaves", packed.len()),
    };
    if !packed.len().is_multiple_of(LEAF) {
        return Err(inconsistent());
    }
    packed
        .chunks_exact(LEAF)
        .map(|leaf| {
            let (kind, rest) = leaf.split_at(2);
            let (id, hash) = rest.split_at(16);
            let kind = i16::from_be_bytes(kind.try_into().map_err(|_| inconsistent())?);
            Ok(((kind, id.try_into().map_err(|_| inconsistent())?), hash))
        })
        .collect()
}

/// A row in words.
fn named((kind, id): RowKey) -> String {
    let table = usize::try_from(kind - 1).ok().and_then(|place| KINDS.get(place)).unwrap_or(&"?");
    match kind {
        // An event's id is a number.
        1 => format!("{table} {}", u128::from_be_bytes(id)),
        _ => format!("{table} {}", Uuid::from_bytes(id)),
    }
}
