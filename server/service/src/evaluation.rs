//! The pipeline against the demo world's truth: what it recovers, what it makes up, and whether its tags reach the category
//! of the next thing, beside a generator that shuffles users and one that names the top categories.
//!
//! Users are the clusters of every interval. Nothing here is read by generation or judging.

mod score;

use crate::audit::estimate;
use crate::error::OrInternal;
use crate::generation::read_history;
use crate::jobs::JobError;
use concord_agreement::proportion;
use concord_domain::api::Result;
use concord_domain::{Actor, Capability, Error, GenerationId, HISTORY_TOKENS, Matching, PipelineEvaluation};
use concord_pipeline::truth::TruthWords;
use concord_pipeline::{interests::Mark, presets, rouge};
use concord_store::{evaluation, generations};
use score::{Told, User, score};
use serde_json::Value;
use sqlx::PgPool;
use std::collections::BTreeMap;

/// Tags that count (paper §3).
const TAGS: usize = 30;
/// Shifts by which users are shuffled: each user gets what was written of so many others.
const SHIFTS: usize = 5;

/// Evaluates a run, or the newest one with the last day kept away.
///
/// # Errors
/// When there is no such run, or it has no user with a truth.
pub async fn pipeline(pool: &PgPool, actor: &Actor, id: Option<GenerationId>) -> Result<PipelineEvaluation> {
    actor.require(Capability::ReadAll)?;
    let mut conn = pool.acquire().await.or_internal()?;
    let id = match id {
        Some(id) => id,
        None => evaluation::newest_held_out(&mut conn).await.or_internal()?.ok_or_else(|| {
            Error::conflict(
                "no_run",
                "nothing was generated with --hold-out yet: concord evaluate pipeline --users 20",
            )
        })?,
    };
    let Some((request, done)) = evaluation::run(&mut conn, id).await.or_internal()? else {
        return Err(Error::not_found("generation"));
    };
    let model = generations::list(&mut conn, Some(id), 1).await.or_internal()?.pop().map(|it| it.model);
    let truths = evaluation::latent_interests(&mut conn, &done).await.or_internal()?;
    if truths.is_empty() {
        return Err(Error::conflict(
            "no_truth",
            "no user of this run has a stored truth: it needs the demo world",
        ));
    }
    let mut users: BTreeMap<i64, User> = BTreeMap::new();
    for (user, bodies) in &truths {
        let latent = bodies.iter().map(names).collect();
        let next = if request.hold_out { next_category(&mut conn, *user).await? } else { None };
        users.insert(*user, User { latent, next, ..User::default() });
    }
    let (mut interests, mut marked, mut missing) = (0, 0, 0);
    for row in evaluation::written(&mut conn, id, "interest").await.or_internal()? {
        let Some(user) = users.get_mut(&row.user) else { continue };
        user.lang = row.lang;
        user.told.interests.push(row.text);
        interests += 1;
        marked += u64::from(!row.body.marks.is_empty());
        missing += u64::from(row.body.marks.iter().any(|mark| mark == Mark::CitesNothing.as_str()));
    }
    let mut tags = 0;
    for row in evaluation::written(&mut conn, id, "tag").await.or_internal()? {
        tags += 1;
        let Some(user) = users.get_mut(&row.user).filter(|user| user.told.tags < TAGS) else { continue };
        user.told.tags += 1;
        user.told.categories.extend(row.body.category);
    }
    let left_out = evaluation::left_out(&mut conn, id).await.or_internal()?;
    let left = |task: &str, wanted: &dyn Fn(&str) -> bool| -> u64 {
        let fit = left_out.iter().filter(|(of, rule, _)| of == task && wanted(rule));
        fit.map(|(.., n)| n.unsigned_abs()).sum()
    };
    let not_chosen = left("tag", &|rule| rule == "not_chosen");
    let broken = left("tag", &|rule| rule != "not_chosen");
    let duplicates = left("tag", &|rule| rule == "duplicate");
    let faults = left("explanation", &|_| true);
    let mut lines: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for row in evaluation::written(&mut conn, id, "explanation").await.or_internal()? {
        lines.entry(row.user).or_default().push(row.text);
    }
    let explained = lines.values().map(Vec::len).sum::<usize>() as u64;
    let diverse: Vec<f64> = lines.values().filter_map(|lines| rouge::diversity(lines)).collect();
    let top = evaluation::top_categories(&mut conn).await.or_internal()?;
    drop(conn);
    let users: Vec<User> = users.into_values().collect();
    let rule = TruthWords::shipped().or_internal()?;
    Ok(PipelineEvaluation {
        generation: id,
        model: model.unwrap_or_default(),
        users: users.len() as u64,
        matching: matching(&rule)?,
        systems: vec![
            score("generator", &users, &rule, |user, _| vec![users[user].told.clone()]),
            score("shuffled users", &users, &rule, |user, _| shuffled(&users, user)),
            score("top categories", &users, &rule, |user, _| {
                vec![popular(&users[user], &top, users[user].told.distinct())]
            }),
            score("top 30 categories", &users, &rule, |user, _| vec![popular(&users[user], &top, TAGS)]),
        ],
        cites_nothing: estimate(proportion(missing, interests)),
        marked: estimate(proportion(marked, interests)),
        tags_left_out: estimate(proportion(broken, tags + broken + not_chosen)),
        duplicates: estimate(proportion(duplicates, tags + broken + not_chosen)),
        lines_left_out: estimate(proportion(faults, explained + faults)),
        line_diversity: estimate(score::mean_of_users(&diverse)),
    })
}

/// Whether the tags of a user reach the category of the next thing, and how many count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) hit: bool,
    pub(crate) tags: u32,
}

/// HR@30 user by user, of a run with the last day kept away: users who are through, and whose next thing has a category.
/// Who got no tag is missed.
pub(crate) async fn hits(
    conn: &mut sqlx::PgConnection,
    id: GenerationId,
) -> std::result::Result<BTreeMap<i64, Hit>, JobError> {
    let mut categories: BTreeMap<i64, Vec<Option<String>>> = BTreeMap::new();
    for row in evaluation::written(conn, id, "tag").await? {
        categories.entry(row.user).or_default().push(row.body.category);
    }
    let done = evaluation::run(conn, id).await?.map(|(_, done)| done).unwrap_or_default();
    let mut found = BTreeMap::new();
    for user in done {
        let next = next_category(conn, user).await.map_err(|error| JobError::again(5, error.to_string()))?;
        let Some(next) = next else { continue };
        let mut tags = categories.remove(&user).unwrap_or_default();
        tags.truncate(TAGS);
        let hit = tags.iter().flatten().any(|it| *it == next);
        found.insert(user, Hit { hit, tags: u32::try_from(tags.len()).unwrap_or(u32::MAX) });
    }
    Ok(found)
}

fn matching(rule: &TruthWords) -> Result<Matching> {
    let checked = rule.check().or_internal()?;
    Ok(Matching {
        pairs: checked.both + checked.rule_only + checked.hand_only + checked.neither,
        precision: estimate(proportion(checked.both, checked.both + checked.rule_only)),
        recall: estimate(proportion(checked.both, checked.both + checked.hand_only)),
    })
}

/// A latent interest's name in both languages.
fn names(body: &Value) -> Vec<String> {
    ["en", "zh"].iter().filter_map(|lang| body["name"][lang].as_str().map(str::to_owned)).collect()
}

/// The category of the first thing the user did with an item on the day that was kept away.
async fn next_category(conn: &mut sqlx::PgConnection, user: i64) -> Result<Option<String>> {
    let Ok(reading) = read_history(conn, user, true, HISTORY_TOKENS).await else { return Ok(None) };
    let next = reading.held.iter().rev().find_map(|event| event.item.as_ref());
    Ok(next.filter(|item| !item.category.is_empty()).map(|item| item.category.join(" > ")))
}

/// What was written of other users of the same language: nobody is told of themselves.
fn shuffled(users: &[User], user: usize) -> Vec<Told> {
    let same: Vec<usize> = (0..users.len()).filter(|it| users[*it].lang == users[user].lang).collect();
    let own = same.iter().position(|it| *it == user).unwrap_or_default();
    (1..=SHIFTS.min(same.len().saturating_sub(1)))
        .map(|shift| users[same[(own + shift) % same.len()]].told.clone())
        .collect()
}

/// The most popular categories of the user's language: as many as interests for interests, `n` for tags.
fn popular(user: &User, top: &[(String, String)], n: usize) -> Told {
    let own: Vec<&String> = top.iter().filter(|(_, lang)| *lang == user.lang).map(|(path, _)| path).collect();
    let path = |path: &str| path.split(" > ").map(str::to_owned).collect::<Vec<_>>();
    let named = own.iter().filter_map(|it| presets::name_of(&path(it)));
    Told {
        interests: named.take(user.told.interests.len().max(1)).collect(),
        categories: own.iter().take(n).map(|it| (*it).clone()).collect(),
        tags: n,
    }
}
