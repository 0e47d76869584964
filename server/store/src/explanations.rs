//! The interest-item-explanation table: built offline, looked up online.

use crate::Result;
use concord_domain::ports::ModelInfo;
use concord_domain::{SampleId, ShownExplanation};
use sqlx::{PgConnection, Row};

/// A line to be stored.
#[derive(Debug, Clone)]
pub struct NewExplanation<'a> {
    /// The interest's words as they are compared.
    pub interest_key: &'a str,
    /// `en` or `zh`.
    pub lang: &'a str,
    /// The item.
    pub item: i64,
    /// The interest.
    pub interest: &'a str,
    /// The tag that found the item.
    pub tag: &'a str,
    /// `linked`, `quality` or `catalogue`.
    pub kind: &'a str,
    /// The line.
    pub text: &'a str,
    /// The sample that is judged, if one was stored.
    pub sample: Option<SampleId>,
    /// Version of the prompt.
    pub prompt_version: &'a str,
    /// The model.
    pub model: &'a ModelInfo,
}

/// Stores a line, unless the pair has one; `false` then.
///
/// # Errors
/// When PostgreSQL does.
pub async fn put(conn: &mut PgConnection, new: &NewExplanation<'_>) -> Result<bool> {
    let done = sqlx::query(
        "insert into item_explanations (interest_key, lang, item_id, interest, tag, kind, text, sample_id, prompt_version,
                                        model, model_hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
    )
    .bind(new.interest_key)
    .bind(new.lang)
    .bind(new.item)
    .bind(new.interest)
    .bind(new.tag)
    .bind(new.kind)
    .bind(new.text)
    .bind(new.sample.map(|id| id.0))
    .bind(new.prompt_version)
    .bind(&new.model.name)
    .bind(&new.model.hash)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Of these items, those that have no line for the interest yet.
///
/// # Errors
/// When PostgreSQL does.
pub async fn missing(
    conn: &mut PgConnection,
    interest_key: &str,
    lang: &str,
    items: &[i64],
) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "select id from unnest($3::bigint[]) with ordinality wanted (id, place)
         where not exists (select from item_explanations e
                           where e.interest_key = $1 and e.lang = $2 and e.item_id = wanted.id) order by place",
    )
    .bind(interest_key)
    .bind(lang)
    .bind(items)
    .fetch_all(conn)
    .await?)
}

/// The lines that these interests have for these items.
///
/// # Errors
/// When PostgreSQL does.
pub async fn look_up(
    conn: &mut PgConnection,
    interest_keys: &[String],
    items: &[i64],
) -> Result<Vec<ShownExplanation>> {
    let rows = sqlx::query(
        "select e.item_id, i.key, e.interest, e.tag, e.kind, e.text, e.lang
         from item_explanations e join items i on i.id = e.item_id
         where e.item_id = any($2) and e.interest_key = any($1)
         order by e.item_id, array_position($1, e.interest_key), e.kind = 'catalogue', e.kind = 'quality'",
    )
    .bind(interest_keys)
    .bind(items)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ShownExplanation {
                item: row.try_get("key")?,
                item_id: row.try_get("item_id")?,
                interest: row.try_get("interest")?,
                tag: row.try_get("tag")?,
                kind: row.try_get("kind")?,
                text: row.try_get("text")?,
                lang: row.try_get("lang")?,
            })
        })
        .collect()
}

/// A user's interests in the newest generation that is done: the text, and the preset that it is.
///
/// # Errors
/// When PostgreSQL does.
pub async fn interests_of(conn: &mut PgConnection, user: i64) -> Result<Vec<(String, Option<String>)>> {
    Ok(sqlx::query_as(
        "select s.text, s.body ->> 'preset' from samples s
         where s.user_id = $1 and s.task = 'interest' and s.origin = 'generated' and s.generation_id = (
             select n.generation_id from samples n where n.user_id = $1 and n.task = 'interest' and n.origin = 'generated'
             order by n.id desc limit 1)
         order by s.id",
    )
    .bind(user)
    .fetch_all(conn)
    .await?)
}

/// Tags with their interest, its preset, and φ's category: each (interest, tag) once, after a sample's id, at most so many.
/// What pairs are made of.
///
/// # Errors
/// When PostgreSQL does.
pub async fn tags_after(conn: &mut PgConnection, after: Option<SampleId>, limit: i64) -> Result<Vec<TagRow>> {
    let rows = sqlx::query(
        "select t.id, t.text, t.lang, t.body ->> 'category' as category, p.text as interest, p.body ->> 'preset' as preset
         from samples t join samples p on p.id = t.parent_id
         where t.task = 'tag' and t.origin = 'generated' and ($1::uuid is null or t.id > $1)
         order by t.id limit $2",
    )
    .bind(after.map(|id| id.0))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(TagRow {
                id: SampleId(row.try_get("id")?),
                text: row.try_get("text")?,
                lang: row.try_get("lang")?,
                category: row.try_get("category")?,
                interest: row.try_get("interest")?,
                preset: row.try_get("preset")?,
            })
        })
        .collect()
}

/// A tag, what it serves, and its category.
#[derive(Debug, Clone)]
pub struct TagRow {
    /// The sample.
    pub id: SampleId,
    /// The tag.
    pub text: String,
    /// Language.
    pub lang: String,
    /// Category by φ.
    pub category: Option<String>,
    /// The interest.
    pub interest: String,
    /// The preset that the interest is.
    pub preset: Option<String>,
}

/// Titled items of a category, by id.
///
/// # Errors
/// When PostgreSQL does.
pub async fn items_of_category(conn: &mut PgConnection, path: &str) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "select id from items where title is not null and category = string_to_array($1, ' > ') order by id",
    )
    .bind(path)
    .fetch_all(conn)
    .await?)
}

/// The row ids of items by the importer's keys; unknown ones are left out.
///
/// # Errors
/// When PostgreSQL does.
pub async fn item_ids(conn: &mut PgConnection, keys: &[String]) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar("select id from items where key = any($1)").bind(keys).fetch_all(conn).await?)
}

/// Lines by kind.
///
/// # Errors
/// When PostgreSQL does.
pub async fn counts(conn: &mut PgConnection) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as("select kind, count(*) from item_explanations group by 1 order by 1")
        .fetch_all(conn)
        .await?)
}
