//! Parquet and Amazon's reviews: what is read, and what each kind of bad file is told.

use concord_service::intake::{Format, ImportError, ImportOptions, ImportReport, Kind, Reject, import};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sqlx::PgPool;
use std::io::Cursor;
use std::sync::Arc;

async fn run(
    pool: &PgPool,
    options: &ImportOptions,
    bytes: Vec<u8>,
) -> (Result<ImportReport, ImportError>, Vec<Reject>) {
    let mut rejects = Vec::new();
    let report = import(pool, Cursor::new(bytes), options, &mut rejects, |_| {}).await;
    (report, rejects)
}

/// A column of a test file.
enum Values {
    Text(Vec<Option<&'static str>>),
    Long(Vec<i64>),
    Double(Vec<f64>),
}

/// A Parquet file with these columns in one group of rows.
fn file(schema: &str, columns: &[Values]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let properties = Arc::new(WriterProperties::builder().build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    for values in columns {
        let mut column = group.next_column().expect("a column").expect("one more");
        match values {
            Values::Text(values) => {
                let there: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                let texts: Vec<ByteArray> =
                    values.iter().flatten().map(|text| ByteArray::from(*text)).collect();
                column.typed::<ByteArrayType>().write_batch(&texts, Some(&there), None).expect("written");
            }
            Values::Long(values) => {
                column.typed::<Int64Type>().write_batch(values, None, None).expect("written");
            }
            Values::Double(values) => {
                column.typed::<DoubleType>().write_batch(values, None, None).expect("written");
            }
        }
        column.close().expect("closed");
    }
    group.close().expect("closed");
    writer.close().expect("closed");
    bytes
}

const BEHAVIOURS: &str = "message m { optional binary user_id (UTF8); optional binary item_id (UTF8);
    required int64 timestamp (TIMESTAMP_MILLIS); required double rating; }";

fn behaviours() -> Vec<u8> {
    file(
        BEHAVIOURS,
        &[
            Values::Text(vec![Some("u"), Some("u"), None, Some("v")]),
            Values::Text(vec![Some("a"), Some("b"), Some("a"), Some("c")]),
            Values::Long(vec![1_600_000_000_000, 1_600_000_001_000, 1_600_000_000_000, 1_600_000_000_000]),
            Values::Double(vec![5.0, 2.0, 5.0, f64::NAN]),
        ],
    )
}

#[sqlx::test(migrations = "../../migrations")]
async fn parquet_rows_are_read_and_bad_ones_are_named_by_row_and_field(pool: PgPool) {
    let options = ImportOptions::new(Kind::Behaviours, Format::Parquet);
    let (report, rejects) = run(&pool, &options, behaviours()).await;
    let report = report.expect("it gets through");
    assert_eq!((report.rows, report.new, report.rejected), (4, 2, 2));
    let said: Vec<_> = rejects.iter().map(|it| (it.line, it.field.as_deref().unwrap_or(""))).collect();
    assert_eq!(said, [(3, "user"), (4, "rating")]);
    let reliable: Vec<bool> = sqlx::query_scalar("select reliable from behaviours order by at")
        .fetch_all(&pool)
        .await
        .expect("reads");
    assert_eq!(reliable, [true, false], "the second is rated below 4");
    let (again, _) = run(&pool, &options, behaviours()).await;
    assert_eq!(again.expect("again").new, 0);

    let items = file(
        "message m { optional binary item (UTF8); optional binary title (UTF8); required double price; optional binary colour (UTF8); }",
        &[
            Values::Text(vec![Some("a"), Some("b")]),
            Values::Text(vec![Some("Kettle"), Some("")]),
            Values::Double(vec![4.1, 2.0]),
            Values::Text(vec![Some("red"), None]),
        ],
    );
    let (report, rejects) = run(&pool, &ImportOptions::new(Kind::Items, Format::Parquet), items).await;
    assert_eq!((report.expect("it gets through").new, rejects.len()), (1, 1));
    let (price, attributes): (f64, serde_json::Value) =
        sqlx::query_as("select price, attributes from items where key = 'a'")
            .fetch_one(&pool)
            .await
            .expect("reads");
    assert_eq!((price, attributes), (4.1, serde_json::json!([["colour", "red"]])));
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_parquet_file_that_is_none_or_lacks_a_column_is_one_clear_error(pool: PgPool) {
    let options = ImportOptions::new(Kind::Behaviours, Format::Parquet);
    let (empty, _) = run(&pool, &options, Vec::new()).await;
    assert!(matches!(empty, Err(ImportError::Empty)));
    let whole = behaviours();
    for cut in [1, 4, whole.len() / 2, whole.len() - 1] {
        let (report, rejects) = run(&pool, &options, whole[..cut].to_vec()).await;
        let error = report.expect_err("cut").to_string();
        assert!(error.contains("Parquet") && rejects.is_empty(), "{error}");
    }
    let lacking = file("message m { optional binary user (UTF8); }", &[Values::Text(vec![Some("u")])]);
    let error = run(&pool, &options, lacking).await.0.expect_err("no item").to_string();
    assert!(error.contains("neither item nor query"), "{error}");
}

/// Bytes that mean harm: any change of a good file is read, refused or rejected in words, and never a crash.
#[sqlx::test(migrations = "../../migrations")]
async fn hostile_parquet_takes_any_bytes(pool: PgPool) {
    let cases = std::env::var("CONCORD_SOAK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let whole = behaviours();
    let mut runner = TestRunner::deterministic();
    let changes = prop::collection::vec((0..whole.len(), any::<u8>()), 1..8);
    let options = ImportOptions::new(Kind::Behaviours, Format::Parquet);
    for _ in 0..cases {
        let mut bytes = whole.clone();
        for (at, byte) in changes.new_tree(&mut runner).expect("changes").current() {
            bytes[at] = byte;
        }
        if let (Ok(report), rejects) = run(&pool, &options, bytes).await {
            assert_eq!(report.rows, report.new + report.duplicate + report.rejected);
            assert_eq!(report.rejected, rejects.len() as u64);
        }
    }
}

/// Title, category, brand, price and attributes.
type StoredItem = (String, Vec<String>, Option<String>, Option<f64>, serde_json::Value);

const REVIEWS: &str = r#"{"rating":5.0,"title":"Good","text":"…","images":[],"asin":"B1","parent_asin":"P1","user_id":"AG","timestamp":1588687728923,"helpful_vote":0,"verified_purchase":true}
{"rating":2.0,"asin":"B2","user_id":"AG","timestamp":1588687728924,"verified_purchase":false}
{"rating":"many","asin":"B2","user_id":"AG","timestamp":1588687728924}
{"rating":5.0,"user_id":"AG","timestamp":1588687728924}
{"rating":5.0,"asin":"B2","timestamp":1588687728924}
{"rating":5.0,"asin":"B2","user_id":"AG","timestamp":"yesterday"}
[1]
"#;

const METADATA: &str = r#"{"main_category":"Tools","title":"Kettle &amp; lid","average_rating":4.8,"features":["x"],"price":"$1,004.50","images":[{"a":1}],"store":"Howard","categories":["Kitchen","Kettles"],"details":{"Colour":"red","Best Sellers Rank":{"Kitchen":1}},"parent_asin":"P1","bought_together":null}
{"main_category":"Tools","title":"Bolt","price":"None","categories":[],"details":"{\"Size\": \"M4\"}","parent_asin":"P2"}
{"main_category":"Tools","title":"","parent_asin":"P3"}
{"title":"Nut","parent_asin":{"a":1}}
"#;

#[sqlx::test(migrations = "../../migrations")]
async fn amazon_reviews_and_metadata_are_read_and_bad_rows_are_named(pool: PgPool) {
    let reviews = ImportOptions::new(Kind::Behaviours, Format::Amazon);
    let (report, rejects) = run(&pool, &reviews, REVIEWS.into()).await;
    let report = report.expect("it gets through");
    assert_eq!((report.rows, report.new, report.rejected), (7, 2, 5));
    let said: Vec<_> = rejects.iter().map(|it| (it.line, it.field.as_deref().unwrap_or("row"))).collect();
    assert_eq!(said, [(3, "rating"), (4, "row"), (5, "user"), (6, "at"), (7, "row")]);
    let stored: Vec<(String, String, bool)> = sqlx::query_as(
        "select i.key, b.kind, b.reliable from behaviours b join items i on i.id = b.item_id order by b.at",
    )
    .fetch_all(&pool)
    .await
    .expect("reads");
    let of = |key: &str, reliable| (key.to_owned(), "purchase".to_owned(), reliable);
    assert_eq!(stored, [of("P1", true), of("B2", false)], "variants share their parent");

    let (report, rejects) =
        run(&pool, &ImportOptions::new(Kind::Items, Format::Amazon), METADATA.into()).await;
    assert_eq!((report.expect("it gets through").new, rejects.len()), (2, 2));
    let said: Vec<_> = rejects.iter().map(|it| (it.line, it.field.as_deref().unwrap_or("row"))).collect();
    assert_eq!(said, [(3, "title"), (4, "item")]);
    let stored: Vec<StoredItem> = sqlx::query_as(
        "select title, category, brand, price, attributes from items where title is not null order by key",
    )
    .fetch_all(&pool)
    .await
    .expect("reads");
    let words = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert_eq!(stored[0].0, "Kettle & lid");
    assert_eq!(
        (&stored[0].1, stored[0].2.as_deref(), stored[0].3),
        (&words(&["Kitchen", "Kettles"]), Some("Howard"), Some(1004.5))
    );
    assert_eq!(stored[0].4, serde_json::json!([["Colour", "red"]]));
    assert_eq!((&stored[1].1, stored[1].3), (&words(&["Tools"]), None));
    assert_eq!(stored[1].4, serde_json::json!([["Size", "M4"]]));

    let users = run(&pool, &ImportOptions::new(Kind::Users, Format::Amazon), REVIEWS.into()).await.0;
    assert!(users.expect_err("no users").to_string().contains("bring users with them"));
}
