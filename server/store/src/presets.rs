//! The preset interest pool.

use crate::Result;
use concord_domain::{AccountId, PresetInterest};
use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, Row, postgres::PgRow};

/// Presets, by name; only those of a language if given, and those taken out only where asked for.
///
/// # Errors
/// When PostgreSQL does.
pub async fn list(
    conn: &mut PgConnection,
    lang: Option<&str>,
    inactive_too: bool,
) -> Result<Vec<PresetInterest>> {
    let rows = sqlx::query(
        "select * from preset_interests where ($1::text is null or lang = $1) and ($2 or active)
         order by active desc, lang, lower(name) limit 5000",
    )
    .bind(lang)
    .bind(inactive_too)
    .fetch_all(conn)
    .await?;
    rows.iter().map(preset).collect()
}

fn preset(row: &PgRow) -> Result<PresetInterest> {
    Ok(PresetInterest {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        lang: row.try_get("lang")?,
        category: row.try_get("category")?,
        origin: row.try_get("origin")?,
        active: row.try_get("active")?,
        created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
    })
}

/// The category paths of titled items with their language and how many items each has, the largest first.
///
/// # Errors
/// When PostgreSQL does.
pub async fn catalogue_categories(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(Vec<String>, String, i64)>> {
    Ok(sqlx::query_as(
        "select category, case when lang like 'zh%' then 'zh' else 'en' end, count(*) from items
         where title is not null and cardinality(category) > 0
         group by 1, 2 order by 3 desc, 1 limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// Adds presets that are not there: name, language, category. Gives how many were new.
///
/// # Errors
/// When PostgreSQL does.
pub async fn add_from_catalogue(
    conn: &mut PgConnection,
    made: &[(String, String, Vec<String>)],
) -> Result<u64> {
    let mut new = 0;
    for (name, lang, category) in made {
        new += sqlx::query(
            "insert into preset_interests (name, lang, category, origin) values ($1, $2, $3, 'catalogue')
             on conflict do nothing",
        )
        .bind(name)
        .bind(lang)
        .bind(category)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    }
    Ok(new)
}

/// Adds one that a person wrote, or brings the one of that name back; `None` if it is there and active.
///
/// # Errors
/// When PostgreSQL does.
pub async fn add(
    conn: &mut PgConnection,
    name: &str,
    lang: &str,
    by: AccountId,
) -> Result<Option<PresetInterest>> {
    let row = sqlx::query(
        "insert into preset_interests as p (name, lang, origin, created_by)
         values ($1, $2, 'person', (select id from accounts where id = $3))
         on conflict (lang, lower(name)) do update set active = true, name = excluded.name where not p.active
         returning *",
    )
    .bind(name)
    .bind(lang)
    .bind(by.0)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(preset).transpose()
}

/// Gives one another name, or takes it out or back in; `None` if there is none with this id.
///
/// # Errors
/// When PostgreSQL does; a name that is there already is a conflict of its unique index.
pub async fn change(
    conn: &mut PgConnection,
    id: i64,
    name: Option<&str>,
    active: Option<bool>,
) -> Result<Option<PresetInterest>> {
    let row = sqlx::query(
        "update preset_interests set name = coalesce($2, name), active = coalesce($3, active) where id = $1 returning *",
    )
    .bind(id)
    .bind(name)
    .bind(active)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(preset).transpose()
}

/// Whether another preset of its language has this name already.
///
/// # Errors
/// When PostgreSQL does.
pub async fn is_taken(conn: &mut PgConnection, id: i64, name: &str) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select from preset_interests p join preset_interests me on me.id = $1
                        where p.id <> me.id and p.lang = me.lang and lower(p.name) = lower($2))",
    )
    .bind(id)
    .bind(name)
    .fetch_one(conn)
    .await?)
}
