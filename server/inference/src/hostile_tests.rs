//! Weights and schemas that mean harm: a file that lies about sizes is refused, never an allocation or a crash; a
//! schema is refused or enforced. Short here; `make soak` runs 10,000 cases each (`CONCORD_SOAK_CASES`).

use std::path::PathBuf;

use concord_kernels::{Isa, Pool};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::gguf::Gguf;
use crate::grammar::Grammars;
use crate::model::Model;
use crate::vocabulary::Vocabulary;

fn runner() -> TestRunner {
    let cases = std::env::var("CONCORD_SOAK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

fn tiny() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/tiny/tiny.gguf")
}

/// Opens bytes as a model file, all the way to the weights and the vocabulary.
fn load(bytes: &[u8]) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let mut gguf = Gguf::open(file.path()).map_err(|error| error.to_string())?;
    let mut pool = Pool::new(1, Isa::detect()).unwrap();
    Model::load(&mut gguf, &mut pool).map_err(|error| error.to_string())?;
    Vocabulary::from_gguf(&gguf).map_err(|error| error.to_string())?;
    Ok(())
}

/// Where the header of the tiny file ends and its numbers begin, roughly: changes there lie, changes behind it are
/// other weights.
const HEADER: usize = 60_000;

#[test]
fn hostile_gguf_files_are_refused_or_loaded_and_never_crash() {
    let whole = std::fs::read(tiny()).unwrap();
    assert_eq!(load(&whole), Ok(()));
    let change = (
        0..HEADER,
        prop_oneof![Just(0_u64), Just(u64::MAX), Just(1 << 40), Just(1 << 31), any::<u64>()],
        1..9_usize,
    );
    let changes = prop::collection::vec(change, 1..4);
    let cut = prop_oneof![3 => Just(whole.len()), 1 => 0..whole.len()];
    runner()
        .run(&(changes, cut), |(changes, cut)| {
            let mut bytes = whole.clone();
            for (at, value, width) in changes {
                bytes[at..at + width.min(8)].copy_from_slice(&value.to_le_bytes()[..width.min(8)]);
            }
            bytes.truncate(cut);
            let _ = load(&bytes);
            Ok(())
        })
        .unwrap();
}

#[test]
fn hostile_sizes_in_a_gguf_header_are_named() {
    let whole = std::fs::read(tiny()).unwrap();
    // Version 3: magic, version, tensors (u64), metadata (u64).
    for (at, what) in [(8, "tensors"), (16, "metadata")] {
        for lie in [u64::MAX, 1 << 62, 1 << 33, 5_000_000] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            assert!(load(&bytes).is_err(), "{lie} {what}");
        }
    }
    let mut short = whole.clone();
    short.truncate(whole.len() - 1000);
    let why = load(&short).unwrap_err();
    assert!(why.contains("does not lie within the file"), "{why}");
}

#[test]
fn hostile_safetensors_that_lie_about_sizes_are_refused() {
    let file = |header: Value, data: usize| {
        let header = header.to_string();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(vec![0_u8; data]);
        bytes
    };
    let tensor = |shape: Value, offsets: Value| json!({"a": {"dtype": "F32", "shape": shape, "data_offsets": offsets}});
    assert!(SafeTensors::deserialize(&file(tensor(json!([2]), json!([0, 8])), 8)).is_ok());
    for (header, data) in [
        (tensor(json!([4]), json!([0, 8])), 8),
        (tensor(json!([2]), json!([0, 8])), 4),
        (tensor(json!([2]), json!([0, 8])), 12),
        (tensor(json!([2]), json!([8, 0])), 8),
        (tensor(json!([u64::MAX, 2]), json!([0, 8])), 8),
        (tensor(json!([2]), json!([0, u64::MAX])), 8),
    ] {
        assert!(SafeTensors::deserialize(&file(header.clone(), data)).is_err(), "{header}");
    }
    let whole = file(tensor(json!([2]), json!([0, 8])), 8);
    runner()
        .run(&(0..whole.len(), any::<u64>(), 1..9_usize, 0..=whole.len()), |(at, value, width, cut)| {
            let mut bytes = whole.clone();
            let end = (at + width.min(8)).min(bytes.len());
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
            bytes.truncate(cut);
            if let Ok(read) = SafeTensors::deserialize(&bytes) {
                prop_assert!(read.tensors().iter().all(|(_, it)| it.data().len() <= bytes.len()));
            }
            Ok(())
        })
        .unwrap();
}

/// Schemas: ours, other people's, and what is no schema at all.
fn schema() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        Just(json!(-1)),
        Just(json!(0)),
        Just(json!(3)),
        Just(json!(1e300)),
        Just(json!("x")),
        any::<i64>().prop_map(|it| json!(it))
    ];
    let leaf = prop_oneof![
        Just(json!({"type": "string", "maxLength": 5})),
        Just(json!({"type": "integer", "minimum": 1, "maximum": 9})),
        Just(json!({"type": "boolean"})),
        Just(json!({"const": "a\u{0}\u{202e}\"\\"})),
        Just(json!({"enum": []})),
        Just(json!({"$ref": "#"})),
        Just(json!({"type": "string", "pattern": "(a+)+$"})),
        Just(Value::Null),
        "\\PC{0,8}".prop_map(Value::String),
        number.clone().prop_map(|it| json!({"type": "string", "minLength": it, "maxLength": 4})),
        number.prop_map(|it| json!({"type": "integer", "minimum": it, "maximum": 7})),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(("[a-z\"\\\\]{0,3}", inner.clone()), 0..4).prop_map(|fields| {
                let required: Vec<_> = fields.iter().map(|(name, _)| name.clone()).collect();
                let properties: serde_json::Map<_, _> = fields.into_iter().collect();
                json!({"type": "object", "properties": properties, "required": required})
            }),
            (inner.clone(), 0..6_i64, -1..6_i64).prop_map(|(items, low, high)| {
                json!({"type": "array", "items": items, "minItems": low, "maxItems": high})
            }),
            prop::collection::vec(inner, 0..3).prop_map(|any| json!({"anyOf": any})),
        ]
    })
}

#[test]
fn hostile_schemas_are_refused_or_enforced() {
    let vocabulary = Vocabulary::from_gguf(&Gguf::open(&tiny()).unwrap()).unwrap();
    let grammars = std::cell::RefCell::new(Grammars::new(vocabulary.env()).unwrap());
    let enforced = std::cell::Cell::new(0);
    runner()
        .run(&schema(), |schema| {
            if let Ok(mut grammar) = grammars.borrow_mut().begin(&schema) {
                enforced.set(enforced.get() + 1);
                prop_assert!(grammar.matcher.compute_mask().is_ok(), "{schema}");
            }
            Ok(())
        })
        .unwrap();
    assert!(enforced.get() > 0, "some schemas are good ones");
}
