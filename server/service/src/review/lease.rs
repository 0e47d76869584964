//! What a person gets next: a gold question or a repeat now and then, else the next sample of the user they are
//! at, else another user of the audit or the learning half.

use crate::error::OrInternal;
use concord_domain::api::Result;
use concord_domain::{Actor, AssignmentId, Programme, SampleId};
use concord_store::review::{self, AssignmentRow, Assist, Half};
use rand::Rng;
use sqlx::PgConnection;
use uuid::Uuid;

/// Up to `wanted` new leases.
pub(super) async fn fill(
    conn: &mut PgConnection,
    actor: &Actor,
    task: Option<&str>,
    wanted: usize,
) -> Result<Vec<AssignmentRow>> {
    let mut leased = Vec::with_capacity(wanted);
    if wanted == 0 {
        return Ok(leased);
    }
    let programmes = review::programmes(conn, task).await.or_internal()?;
    while leased.len() < wanted {
        let Some(row) = one(conn, actor, &programmes).await? else { break };
        leased.push(row);
    }
    Ok(leased)
}

/// What chance says of one lease, by task. Nothing an annotator can see depends on it, the id of the assignment
/// included.
struct Draws {
    gold: Vec<String>,
    repeat: Vec<(String, i32)>,
    audit: Vec<String>,
    learning: Vec<String>,
    assist: f64,
}

impl Draws {
    fn new(programmes: &[(String, Programme)]) -> Self {
        let mut rng = rand::rng();
        let [gold, repeat, audit, assist]: [f64; 4] = rng.random();
        let named = |chosen: &dyn Fn(&Programme) -> bool| {
            programmes.iter().filter(|(_, p)| chosen(p)).map(|(task, _)| task.clone()).collect()
        };
        Self {
            gold: named(&|p| gold < p.gold_rate),
            repeat: programmes
                .iter()
                .filter(|(_, p)| repeat < p.repeat_rate)
                .map(|(task, p)| (task.clone(), p.repeat_after_days))
                .collect(),
            audit: named(&|p| audit < p.audit_share),
            learning: named(&|p| audit >= p.audit_share),
            assist,
        }
    }
}

async fn one(
    conn: &mut PgConnection,
    actor: &Actor,
    programmes: &[(String, Programme)],
) -> Result<Option<AssignmentRow>> {
    let draws = Draws::new(programmes);
    let id = AssignmentId(Uuid::now_v7());
    if let Some(row) = aside(conn, actor, &draws, id).await? {
        return Ok(Some(row));
    }
    let Some((half, sample)) = regular(conn, actor, programmes, &draws).await? else { return Ok(None) };
    let assist = if half == Half::Train { assist(conn, programmes, sample, &draws).await? } else { None };
    Ok(Some(review::take_slot(conn, actor.account, sample, id, assist).await.or_internal()?))
}

/// A gold question or a repeat, where chance says so and there is one.
async fn aside(
    conn: &mut PgConnection,
    actor: &Actor,
    draws: &Draws,
    id: AssignmentId,
) -> Result<Option<AssignmentRow>> {
    let account = actor.account;
    if !draws.gold.is_empty()
        && let Some(sample) = review::next_gold(conn, account, &draws.gold).await.or_internal()?
    {
        return Ok(Some(review::take_aside(conn, account, sample, id, None).await.or_internal()?));
    }
    if draws.repeat.is_empty() {
        return Ok(None);
    }
    let (tasks, days): (Vec<String>, Vec<i32>) = draws.repeat.iter().cloned().unzip();
    match review::next_repeat(conn, account, &tasks, &days).await.or_internal()? {
        Some((of, sample)) => {
            Ok(Some(review::take_aside(conn, account, sample, id, Some(of)).await.or_internal()?))
        }
        None => Ok(None),
    }
}

/// A user's samples come together; then chance says from which half the next user comes, and where that half has
/// nothing left, the other one.
async fn regular(
    conn: &mut PgConnection,
    actor: &Actor,
    programmes: &[(String, Programme)],
    draws: &Draws,
) -> Result<Option<(Half, SampleId)>> {
    let account = actor.account;
    let tasks: Vec<String> = programmes.iter().map(|(task, _)| task.clone()).collect();
    if let Some(place) = review::last_place(conn, account, None).await.or_internal()?
        && let Some(sample) = review::next_of_user(conn, account, &tasks, place).await.or_internal()?
    {
        return Ok(Some((place.half, sample)));
    }
    let drawn = [
        (Half::Audit, &draws.audit),
        (Half::Train, &draws.learning),
        (Half::Audit, &draws.learning),
        (Half::Train, &draws.audit),
    ];
    for (half, tasks) in drawn.into_iter().filter(|(_, tasks)| !tasks.is_empty()) {
        let found = match half {
            Half::Audit => review::next_audit(conn, account, tasks).await,
            Half::Train => review::next_learning(conn, account, tasks).await,
        };
        if let Some(sample) = found.or_internal()? {
            return Ok(Some((half, sample)));
        }
    }
    Ok(None)
}

/// The assisted share of a learning sample's task, if its programme has one, and what was drawn.
async fn assist(
    conn: &mut PgConnection,
    programmes: &[(String, Programme)],
    sample: SampleId,
    draws: &Draws,
) -> Result<Option<Assist>> {
    if !programmes.iter().any(|(_, p)| p.assisted) {
        return Ok(None);
    }
    let task = concord_store::samples::task_of(conn, sample).await.or_internal()?;
    let programme = programmes.iter().find(|(name, p)| Some(name) == task.as_ref() && p.assisted);
    Ok(programme.map(|(_, p)| Assist { pi: p.assisted_rate, drawn: draws.assist < p.assisted_rate }))
}
