//! Deleting a user: what of them is where, found by following foreign keys from the catalogue, so that a table added
//! by a later migration is not forgotten.

use crate::Result;
use concord_domain::{AccountId, Erasure};
use jiff_sqlx::Timestamp;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A foreign key; its columns are quoted and in the same order.
struct ForeignKey {
    child: String,
    child_columns: String,
    parent: String,
    parent_columns: String,
}

/// The number of the user with this key.
///
/// # Errors
/// The database's.
pub async fn user(conn: &mut PgConnection, key: &str) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("select id from users where key = $1").bind(key).fetch_optional(conn).await?)
}

/// Notes that a user is to be deleted; the id of the request there is already, if so.
///
/// # Errors
/// The database's.
pub async fn request(conn: &mut PgConnection, id: Uuid, user: i64, by: Option<AccountId>) -> Result<Uuid> {
    sqlx::query(
        "insert into erasures (id, user_id, requested_by) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(id)
    .bind(user)
    .bind(by.map(|id| id.0))
    .execute(&mut *conn)
    .await?;
    Ok(sqlx::query_scalar("select id from erasures where user_id = $1 and done_at is null")
        .bind(user)
        .fetch_one(conn)
        .await?)
}

/// Requests that are not done, oldest first: id and user.
///
/// # Errors
/// The database's.
pub async fn open(conn: &mut PgConnection) -> Result<Vec<(Uuid, i64)>> {
    Ok(sqlx::query_as("select id, user_id from erasures where done_at is null order by requested_at")
        .fetch_all(conn)
        .await?)
}

/// Erasures, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Erasure>> {
    let rows =
        sqlx::query("select * from erasures order by requested_at desc limit 1000").fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Erasure {
                id: row.try_get("id")?,
                requested_at: row.try_get::<Timestamp, _>("requested_at")?.to_jiff(),
                done_at: row.try_get::<Option<Timestamp>, _>("done_at")?.map(Timestamp::to_jiff),
                receipt: row.try_get("receipt")?,
            })
        })
        .collect()
}

/// Stores what a deletion did.
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut PgConnection, id: Uuid, receipt: &Value) -> Result<()> {
    sqlx::query("update erasures set done_at = now(), receipt = $2 where id = $1")
        .bind(id)
        .bind(receipt)
        .execute(conn)
        .await?;
    Ok(())
}

/// Lists the user's rows that the audit log covers under this erasure, and gives them by kind and id.
///
/// # Errors
/// The database's.
pub async fn list_rows(conn: &mut PgConnection, id: Uuid, user: i64) -> Result<Vec<(i16, Uuid)>> {
    Ok(sqlx::query_as(
        "with mine as (select id from samples where user_id = $2),
         listed as (
            insert into erased_rows (kind, row_id, erasure_id)
            select 2, s.id, $1::uuid from submissions s join assignments a on a.id = s.assignment_id
                where a.sample_id in (select id from mine)
            union all select 3, id, $1::uuid from labels where sample_id in (select id from mine)
            union all select 4, id, $1::uuid from verdicts where sample_id in (select id from mine)
            union all select 5, id, $1::uuid from adjudications where sample_id in (select id from mine)
            returning kind, row_id)
         select kind, row_id from listed order by kind, row_id",
    )
    .bind(id)
    .bind(user)
    .fetch_all(conn)
    .await?)
}

/// Certificates that labels of the user's samples were read for, and that are not void yet.
///
/// # Errors
/// The database's.
pub async fn certificates(conn: &mut PgConnection, user: i64) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar(
        "select c.id from certificates c join certificate_attempts a on a.id = c.id
         where c.status <> 'void' and exists (
            select from labels l join samples s on s.id = l.sample_id
            where s.user_id = $1 and s.half = 'audit' and l.phase = 'blind' and l.task = a.task
              and (a.criterion in ('*', 'all') or l.criterion = a.criterion)
              and l.tx >= a.labels_after::text::xid8
              and (a.labels_through is null or l.tx < a.labels_through::text::xid8))
         order by c.id",
    )
    .bind(user)
    .fetch_all(conn)
    .await?)
}

/// What lies outside these tables and holds the user still: exports with their rows, what was made from those
/// exports (any row that names one), and backups made since the user came.
///
/// # Errors
/// The database's.
pub async fn elsewhere(conn: &mut PgConnection, user: i64) -> Result<Value> {
    let exports: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "select e.id, e.dir, count(*) from exports e join export_rows r on r.export_id = e.id
         join samples s on s.id = r.sample_id where s.user_id = $1 group by e.id order by e.created_at",
    )
    .bind(user)
    .fetch_all(&mut *conn)
    .await?;
    let ids: Vec<Uuid> = exports.iter().map(|it| it.0).collect();
    let backups: Vec<(String, Option<String>)> = sqlx::query_as(
        "select subject, detail ->> 'dir' from audit_events
         where action = 'backup' and at >= (select created_at from users where id = $1) order by at",
    )
    .bind(user)
    .fetch_all(&mut *conn)
    .await?;
    let mut models = Vec::new();
    for key in
        foreign_keys(conn).await?.iter().filter(|it| it.parent == "exports" && it.child != "export_rows")
    {
        let (table, column) = (&key.child, &key.child_columns);
        let statement = format!("select to_jsonb(t) ->> 'id' from {table} t where {column} = any($1)");
        let rows: Vec<Option<String>> =
            sqlx::query_scalar(AssertSqlSafe(statement)).bind(&ids).fetch_all(&mut *conn).await?;
        models.extend(rows.into_iter().flatten().map(|id| json!({"table": table, "id": id})));
    }
    // Rounds that learn from the log name users, not exports.
    let learnt = crate::log_lessons::models(conn, user).await?;
    models.extend(learnt.iter().map(|id| json!({"table": "models", "id": id})));
    models.extend(
        descendants(conn, &ids, &learnt).await?.into_iter().map(|id| json!({"table": "models", "id": id})),
    );
    let exports: Vec<Value> =
        exports.into_iter().map(|(id, dir, rows)| json!({"id": id, "dir": dir, "rows": rows})).collect();
    let backups: Vec<Value> = backups.into_iter().map(|(id, dir)| json!({"id": id, "dir": dir})).collect();
    Ok(json!({"exports": exports, "models": models, "backups": backups}))
}

/// Models that go on from one that learnt from these exports, or from one of these models, and are none of them themselves.
async fn descendants(conn: &mut PgConnection, exports: &[Uuid], models: &[Uuid]) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar(
        "with recursive learnt as (
            select id, export_id from models where export_id = any($1) or id = any($2)
            union
            select m.id, m.export_id from models m join learnt l on l.id = m.parent_id)
         select id from learnt where (export_id is null or export_id <> all($1)) and id <> all($2) order by id",
    )
    .bind(exports)
    .bind(models)
    .fetch_all(conn)
    .await?)
}

/// Deletes the user and everything that names them, directly or through others; gives the rows by table.
///
/// # Errors
/// The database's: a right that the role lacks, among others.
pub async fn delete(conn: &mut PgConnection, user: i64) -> Result<BTreeMap<String, u64>> {
    let keys = foreign_keys(conn).await?;
    let mut steps = vec![
        ("behaviours".to_owned(), format!("user_id = {user}")),
        // Jobs name users and samples in their arguments.
        (
            "jobs".to_owned(),
            format!(
                "args ->> 'user' = '{user}' or args ->> 'sample' in (select id::text from samples where user_id = {user})"
            ),
        ),
    ];
    // The cluster is counted anew once its samples are gone; their references go with them.
    sqlx::query("insert into audit_stale (sample_id, left_cluster) select id, cluster_hash from samples where user_id = $1")
        .bind(user)
        .execute(&mut *conn)
        .await?;
    follow(&keys, &mut vec!["users".to_owned()], format!("id = {user}"), &mut steps);
    let mut deleted = BTreeMap::new();
    for (table, rows) in steps {
        let done = sqlx::query(AssertSqlSafe(format!("delete from {table} where {rows}")))
            .execute(&mut *conn)
            .await?;
        if done.rows_affected() > 0 {
            *deleted.entry(table).or_default() += done.rows_affected();
        }
    }
    Ok(deleted)
}

/// Adds the deletion of these rows of the path's last table, after that of all rows that name them.
fn follow(keys: &[ForeignKey], path: &mut Vec<String>, rows: String, steps: &mut Vec<(String, String)>) {
    let table = path.last().cloned().unwrap_or_default();
    for key in keys.iter().filter(|key| key.parent == table) {
        if path.contains(&key.child) {
            continue;
        }
        let ForeignKey { child, child_columns, parent_columns, .. } = key;
        let children = format!("({child_columns}) in (select {parent_columns} from {table} where {rows})");
        path.push(child.clone());
        follow(keys, path, children, steps);
        path.pop();
    }
    steps.push((table, rows));
}

async fn foreign_keys(conn: &mut PgConnection) -> Result<Vec<ForeignKey>> {
    let rows = sqlx::query(
        "select k.conrelid::regclass::text child, k.confrelid::regclass::text parent,
                (select string_agg(quote_ident(a.attname), ', ' order by n) from unnest(k.conkey) with ordinality c (num, n)
                 join pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.num) child_columns,
                (select string_agg(quote_ident(a.attname), ', ' order by n) from unnest(k.confkey) with ordinality c (num, n)
                 join pg_attribute a on a.attrelid = k.confrelid and a.attnum = c.num) parent_columns
         from pg_constraint k where k.contype = 'f' and k.connamespace = 'public'::regnamespace order by 1, 2, 3",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ForeignKey {
                child: row.try_get("child")?,
                child_columns: row.try_get("child_columns")?,
                parent: row.try_get("parent")?,
                parent_columns: row.try_get("parent_columns")?,
            })
        })
        .collect()
}
