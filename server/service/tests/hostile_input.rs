//! Input that means harm, or nothing at all: importers, rubrics and policies take any bytes and answer in words.
//! Short here; `make soak` runs 10,000 cases each (`CONCORD_SOAK_CASES`). Corpora lie in `tests/corpus`.

use concord_domain::api::{Exports, Rubrics};
use concord_domain::{AccountId, Actor, Error, ExportPolicy, Role};
use concord_service::exports::ExportsService;
use concord_service::intake::{Format, ImportOptions, Kind, import};
use concord_service::rubrics::RubricsService;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use sqlx::PgPool;
use std::io::Cursor;
use std::path::Path;
use uuid::Uuid;

/// What breaks parsers: ends, quotes, numbers out of range, other encodings, escapes, formulas, terminal codes.
const PIECES: [&[u8]; 24] = [
    b"\0",
    b"\r",
    b"\n\n",
    b"\"",
    b"\"\"",
    b"{",
    b"}",
    b"[[[[[[[[",
    b"\t",
    b",,,,",
    b":",
    b"\\u0000",
    b"\\ud800",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc3\x28",
    b"1e999",
    b"-0",
    b"9223372036854775808",
    b"NaN",
    b"null",
    b"=cmd|' /C calc'!A0",
    b"\x1b[2J",
    b"</script><script>",
];

/// How many inputs a target is given.
fn cases() -> u32 {
    std::env::var("CONCORD_SOAK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40)
}

/// One change of an input: where (as a share of its length), and what.
#[derive(Debug, Clone)]
enum Change {
    Insert(f64, Vec<u8>),
    Remove(f64, f64),
    Repeat(f64, f64),
    Flip(f64, u8),
}

fn change() -> impl Strategy<Value = Change> {
    let place = || 0.0..1.0_f64;
    prop_oneof![
        (place(), prop::sample::select(&PIECES[..])).prop_map(|(at, it)| Change::Insert(at, it.to_vec())),
        (place(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, it)| Change::Insert(at, it)),
        (place(), place()).prop_map(|(from, to)| Change::Remove(from, to)),
        (place(), place()).prop_map(|(from, to)| Change::Repeat(from, to)),
        (place(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
    ]
}

fn changed(seed: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for change in changes {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a short input"
        )]
        let place = |share: &f64| (share * bytes.len() as f64) as usize;
        match change {
            Change::Insert(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Change::Remove(from, to) => {
                let (from, to) = (place(from).min(place(to)), place(from).max(place(to)));
                bytes.drain(from..to);
            }
            Change::Repeat(from, to) => {
                let (from, to) = (place(from).min(place(to)), place(from).max(place(to)));
                let piece = bytes[from..to].to_vec();
                bytes.splice(to..to, piece);
            }
            Change::Flip(at, bit) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        }
        bytes.truncate(1 << 16);
    }
    bytes
}

/// Inputs: the seeds as they are, then seeds with up to six changes, then noise.
fn inputs(seeds: &[Vec<u8>]) -> impl Iterator<Item = Vec<u8>> {
    let mut runner = TestRunner::new(Config::default());
    let seeds = seeds.to_vec();
    let mutated = (prop::sample::select(seeds.clone()), prop::collection::vec(change(), 1..6))
        .prop_map(|(seed, changes)| changed(&seed, &changes));
    let noise = prop::collection::vec(any::<u8>(), 0..400);
    let strategy = prop_oneof![9 => mutated, 1 => noise];
    let made = (0..cases()).map(move |_| strategy.new_tree(&mut runner).expect("a value").current());
    seeds.into_iter().chain(made)
}

fn lead() -> Actor {
    Actor {
        account: AccountId(Uuid::nil()),
        email: "lead@example.org".into(),
        role: Role::Lead,
        scopes: None,
    }
}

/// The files of a folder of the corpus.
fn corpus(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus")
        .flatten()
        .map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(file.path()).expect("a file"))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[sqlx::test(migrations = "../../migrations")]
async fn hostile_every_importer_takes_any_bytes_and_counts_every_row(pool: PgPool) {
    for (name, seed) in corpus("imports") {
        let mut words = name.split('.');
        let kind: Kind = words.next().and_then(|word| word.parse().ok()).expect("a kind");
        let format: Format = words.next().and_then(|word| word.parse().ok()).expect("a format");
        let options = ImportOptions::new(kind, format);
        for bytes in inputs(&[seed]) {
            let mut rejects = Vec::new();
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            // An error says in words why the whole file is unusable; a panic or a count that is off fails here.
            if let Ok(report) = import(&pool, Cursor::new(bytes), &options, &mut rejects, |_| {}).await {
                assert_eq!(report.failed, None, "{name}: {shown:?}");
                assert_eq!(report.rows, report.new + report.duplicate + report.rejected, "{name}: {shown:?}");
                assert_eq!(report.rejected, rejects.len() as u64, "{name}: {shown:?}");
            }
        }
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn hostile_rubrics_the_parser_takes_any_text_and_names_what_is_wrong(pool: PgPool) {
    let mut conn = pool.acquire().await.expect("connection");
    for rubric in concord_pipeline::rubrics::shipped().expect("rubrics") {
        concord_store::rubrics::add(&mut conn, &rubric).await.expect("stored");
    }
    drop(conn);
    let (lead, rubrics) = (lead(), RubricsService::new(pool));
    let seeds: Vec<_> = corpus("rubrics").into_iter().map(|(_, seed)| seed).collect();
    for bytes in inputs(&seeds) {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = rubrics.preview(&lead, &text).await {
            assert!(matches!(error, Error::Invalid { .. } | Error::Conflict { .. }), "{error}: {text:?}");
        }
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn hostile_policies_the_parser_takes_any_text_and_names_what_is_wrong(pool: PgPool) {
    let (lead, exports) = (lead(), ExportsService::new(pool, std::env::temp_dir()));
    let seeds: Vec<_> = corpus("policies").into_iter().map(|(_, seed)| seed).collect();
    for bytes in inputs(&seeds) {
        let text = String::from_utf8_lossy(&bytes);
        let Ok(policy) = toml::from_str::<ExportPolicy>(&text) else { continue };
        if let Err(error) = exports.preview(&lead, &policy).await {
            assert!(matches!(error, Error::Invalid { .. } | Error::Conflict { .. }), "{error}: {text:?}");
        }
    }
}
