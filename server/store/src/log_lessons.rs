//! What a round learns of users' last days.

use crate::Result;
use concord_domain::GenerationId;
use futures::{Stream, TryStreamExt};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// A row of training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LessonRow {
    /// Instructions.
    pub system: String,
    /// Prompt.
    pub user: String,
    /// Answer.
    pub assistant: String,
}

/// What came of a user's clicks and purchases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sifted {
    /// Titled things clicked or bought.
    pub seen: i32,
    /// Out of place, by the judge.
    pub out_of_place: i32,
    /// Their category was full.
    pub no_room: i32,
    /// Serve an interest that was known.
    pub matched: i32,
    /// Needed an interest.
    pub completed: i32,
}

/// The newest behaviour of all logs; `None` where no log has times.
///
/// # Errors
/// The database's.
pub async fn newest(conn: &mut PgConnection) -> Result<Option<jiff::Timestamp>> {
    let at: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar(
        "select max(newest.at) from users u cross join lateral (
             select b.at from behaviours b where b.user_id = u.id and b.at is not null order by b.at desc limit 1) newest",
    )
    .fetch_one(conn)
    .await?;
    Ok(at.map(Into::into))
}

/// Users of the train half, at most `n`, drawn by seed, who clicked or bought something titled since then and had done
/// `min_reliable` things before; of one language where that is asked for. Gives row ids.
///
/// # Errors
/// The database's.
pub async fn pick_active(
    conn: &mut PgConnection,
    lang: Option<&str>,
    n: i64,
    seed: i64,
    since: jiff::Timestamp,
    min_reliable: i64,
) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "select u.id from users u
         where u.half = 'train'
           and exists (select from behaviours b join items i on i.id = b.item_id
                       where b.user_id = u.id and b.reliable and b.at >= $4 and i.title is not null)
           and (select count(*) from (
                    select from behaviours b left join items i on i.id = b.item_id
                    where b.user_id = u.id and b.reliable and b.at < $4 and (b.query is not null or i.title is not null)
                    limit $3) enough) >= $3
           and ($5::text is null or $5 = (
                    select mode() within group (order by left(i.lang, 2)) from behaviours b
                    join items i on i.id = b.item_id where b.user_id = u.id))
         order by md5($2::text || ':' || u.key), u.key limit $1",
    )
    .bind(n)
    .bind(seed)
    .bind(min_reliable)
    .bind(jiff_sqlx::ToSqlx::to_sqlx(since))
    .bind(lang)
    .fetch_all(conn)
    .await?)
}

/// Users whose interests were refreshed and of whom nothing is stored yet, and how many there are in all.
///
/// # Errors
/// The database's.
pub async fn missing(
    conn: &mut PgConnection,
    round: Uuid,
    refreshed: GenerationId,
) -> Result<(Vec<i64>, i64)> {
    let rows: Vec<(i64, bool)> = sqlx::query_as(
        "select g.user_id, l.user_id is null from generation_users g
         left join log_lessons l on l.round_id = $1 and l.user_id = g.user_id
         where g.generation_id = $2 order by g.user_id",
    )
    .bind(round)
    .bind(refreshed.0)
    .fetch_all(conn)
    .await?;
    let all = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    Ok((rows.into_iter().filter(|(_, open)| *open).map(|(user, _)| user).collect(), all))
}

/// Stores what is learnt of a user; what is there already stays.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut PgConnection,
    round: Uuid,
    user: i64,
    sifted: &Sifted,
    rows: &[LessonRow],
) -> Result<()> {
    sqlx::query(
        "insert into log_lessons (round_id, user_id, seen, out_of_place, no_room, matched, completed, rows)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
    )
    .bind(round)
    .bind(user)
    .bind(sifted.seen)
    .bind(sifted.out_of_place)
    .bind(sifted.no_room)
    .bind(sifted.matched)
    .bind(sifted.completed)
    .bind(Json(rows))
    .execute(conn)
    .await?;
    Ok(())
}

/// What came of all users' clicks and purchases, and the number of rows.
///
/// # Errors
/// The database's.
pub async fn total(conn: &mut PgConnection, round: Uuid) -> Result<(Sifted, i64)> {
    let row = sqlx::query(
        "select coalesce(sum(seen), 0)::int seen, coalesce(sum(out_of_place), 0)::int out_of_place, coalesce(sum(no_room), 0)::int no_room,
                coalesce(sum(matched), 0)::int matched, coalesce(sum(completed), 0)::int completed,
                coalesce(sum(jsonb_array_length(rows)), 0)::bigint rows
         from log_lessons where round_id = $1",
    )
    .bind(round)
    .fetch_one(conn)
    .await?;
    let sifted = Sifted {
        seen: row.try_get("seen")?,
        out_of_place: row.try_get("out_of_place")?,
        no_room: row.try_get("no_room")?,
        matched: row.try_get("matched")?,
        completed: row.try_get("completed")?,
    };
    Ok((sifted, row.try_get("rows")?))
}

/// The rows of training of a round, users in an order that the seed decides.
pub fn rows(
    conn: &mut PgConnection,
    round: Uuid,
    seed: i64,
) -> impl Stream<Item = Result<Vec<LessonRow>>> + '_ {
    sqlx::query_scalar(
        "select l.rows from log_lessons l join users u on u.id = l.user_id
         where l.round_id = $1 order by md5($2::text || ':' || u.key), u.key",
    )
    .bind(round)
    .bind(seed)
    .fetch(conn)
    .map_ok(|Json(rows)| rows)
    .map_err(Into::into)
}

/// Models of rounds that learnt of this user.
///
/// # Errors
/// The database's.
pub async fn models(conn: &mut PgConnection, user: i64) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar(
        "select m.id from log_lessons l join round_steps s on s.round_id = l.round_id and s.name = 'train'
         join models m on m.id::text = s.detail ->> 'model'
         where l.user_id = $1 and jsonb_array_length(l.rows) > 0 order by m.id",
    )
    .bind(user)
    .fetch_all(conn)
    .await?)
}
