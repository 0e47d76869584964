//! Items: the catalogue, and the vectors of its titles.

use crate::Result;
use concord_domain::ItemEssentials;
use futures::{Stream, StreamExt};
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};

/// What became of a batch of items or users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upserted {
    /// Rows inserted, or filled where only the key was known.
    pub new: u64,
    /// Lines that say otherwise than a row that is there already.
    pub conflicts: Vec<i64>,
}

/// Sends a batch down a COPY statement.
pub(crate) async fn copy(conn: &mut PgConnection, statement: &str, rows: &[u8]) -> Result<()> {
    let mut copy = conn.copy_in_raw(statement).await?;
    copy.send(rows).await?;
    copy.finish().await?;
    Ok(())
}

/// Makes the temporary table of this connection; once is enough.
///
/// # Errors
/// When PostgreSQL does.
pub async fn stage(conn: &mut PgConnection) -> Result<()> {
    sqlx::query(
        "create temp table if not exists import_items (
             line bigint not null, key text not null, title text not null, category jsonb not null,
             brand text, attributes jsonb not null, price double precision, lang text not null
         ) on commit delete rows",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Copies a batch (COPY binary, columns as in the temporary table) and merges it: unknown keys are
/// inserted, rows without a title filled, anything else is a duplicate or a conflict. Call it in a
/// transaction.
///
/// # Errors
/// When PostgreSQL does; a deadlock or serialisation failure may be tried again.
pub async fn merge(conn: &mut PgConnection, rows: &[u8]) -> Result<Upserted> {
    const COPY: &str = "copy import_items (line, key, title, category, brand, attributes, price, lang) \
                        from stdin (format binary)";
    copy(conn, COPY, rows).await?;
    let inserted = sqlx::query(
        "insert into items (key, title, category, brand, attributes, price, lang)
         select distinct on (key) key, title, array(select jsonb_array_elements_text(category)), brand,
                attributes, price, lang
         from import_items order by key, line on conflict (key) do nothing",
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    let filled = sqlx::query(
        "update items i set title = s.title, brand = s.brand, attributes = s.attributes, price = s.price,
                lang = s.lang,
                category = case when s.category = '[]' then i.category
                           else array(select jsonb_array_elements_text(s.category)) end
         from (select distinct on (key) * from import_items order by key, line) s
         where i.key = s.key and i.title is null",
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    let conflicts = sqlx::query_scalar(
        "select s.line from import_items s join items i on i.key = s.key
         where (s.title, s.brand, s.attributes, s.price, s.lang)
               is distinct from (i.title, i.brand, i.attributes, i.price, i.lang)
            or (s.category <> '[]' and array(select jsonb_array_elements_text(s.category)) <> i.category)
         order by s.line",
    )
    .fetch_all(conn)
    .await?;
    Ok(Upserted { new: inserted + filled, conflicts })
}

/// The essentials of items, in no order; unknown ids are left out.
///
/// # Errors
/// When PostgreSQL does.
pub async fn essentials(conn: &mut PgConnection, ids: &[i64]) -> Result<Vec<ItemEssentials>> {
    let rows = sqlx::query(
        "select id, key, title, category, brand, attributes, price from items where id = any($1)",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| essentials_of(row.try_get("id")?, row)).collect()
}

/// Reads the columns `key, title, category, brand, attributes, price`.
pub(crate) fn essentials_of(id: i64, row: &PgRow) -> Result<ItemEssentials> {
    let Json(attributes) = row.try_get::<Json<Vec<(String, String)>>, _>("attributes")?;
    Ok(ItemEssentials {
        id,
        key: row.try_get("key")?,
        title: row.try_get("title")?,
        category: row.try_get("category")?,
        brand: row.try_get("brand")?,
        attributes,
        price: row.try_get("price")?,
    })
}

/// Titled items whose vector by this embedder is missing or of an older text: id and the text to embed.
///
/// # Errors
/// When PostgreSQL does.
pub async fn without_embedding(
    conn: &mut PgConnection,
    embedder: &str,
    limit: i64,
) -> Result<Vec<(i64, String)>> {
    Ok(sqlx::query_as(
        "select id, text from (
             select id, concat_ws(', ', title, nullif(category[cardinality(category)], ''), brand) as text
             from items where title is not null
         ) i left join item_embeddings e on e.item_id = i.id and e.embedder = $1
         where e.item_id is null or e.content_hash <> sha256(convert_to(text, 'UTF8'))
         order by id limit $2",
    )
    .bind(embedder)
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// Stores vectors beside the SHA-256 of the text each was made from.
///
/// # Errors
/// When PostgreSQL does.
pub async fn put_embeddings(
    conn: &mut PgConnection,
    embedder: &str,
    embedded: &[(i64, String, Vec<f32>)],
) -> Result<()> {
    let ids: Vec<i64> = embedded.iter().map(|(id, ..)| *id).collect();
    let texts: Vec<&str> = embedded.iter().map(|(_, text, _)| text.as_str()).collect();
    let vectors: Vec<Vec<u8>> = embedded.iter().map(|(.., vector)| to_bytes(vector)).collect();
    sqlx::query(
        "insert into item_embeddings (item_id, embedder, content_hash, vector)
         select id, $1, sha256(convert_to(text, 'UTF8')), vector
         from unnest($2::bigint[], $3::text[], $4::bytea[]) as e (id, text, vector) order by id
         on conflict (embedder, item_id) do update
         set content_hash = excluded.content_hash, vector = excluded.vector",
    )
    .bind(embedder)
    .bind(ids)
    .bind(texts)
    .bind(vectors)
    .execute(conn)
    .await?;
    Ok(())
}

/// Every vector by this embedder, streamed in item order.
pub fn all_embeddings<'c>(
    conn: &'c mut PgConnection,
    embedder: &str,
) -> impl Stream<Item = Result<(i64, Vec<f32>)>> + 'c {
    sqlx::query_as("select item_id, vector from item_embeddings where embedder = $1 order by item_id")
        .bind(embedder.to_owned())
        .fetch(conn)
        .map(|row| {
            let (id, bytes): (i64, Vec<u8>) = row?;
            Ok((id, from_bytes(&bytes)))
        })
}

fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect()
}
