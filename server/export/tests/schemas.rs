//! Rows against the columns that each trainer documents, recorded in `schemas.json`; `make check-exports` loads such
//! files with the trainers' own loaders.

use concord_export::{Asked, Encoder, Record, Shape, axolotl, dataset_info};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value};

fn recorded() -> Map<String, Value> {
    serde_json::from_str(include_str!("schemas.json")).expect("JSON")
}

fn shape(layout: &str, target: &str) -> Shape {
    Shape { layout: layout.into(), target: target.into() }
}

fn record(target: &str) -> Record {
    let asked = Asked { system: "Be brief.".into(), user: "Why tea?\n“Ω”".into() };
    match target {
        "preference" => Record::Pair(asked, "Calm.".into(), "Dunno.".into(), 2.0),
        "reward" => Record::Pair(asked, "Calm.".into(), "Dunno.".into(), 1.0),
        "kto" => Record::Sided(asked, "Calm.".into(), true),
        _ => Record::Answer(asked, "Calm.".into()),
    }
}

fn written(shape: Shape, format: &str) -> Vec<u8> {
    let record = record(&shape.target);
    let mut encoder = Encoder::new(vec![shape], &[format.to_owned()], false).expect("an encoder");
    for _ in 0..3 {
        encoder.push(&record, false, &1).expect("a row");
    }
    encoder.finish().expect("bytes").swap_remove(0).0
}

#[test]
fn every_row_is_the_one_its_trainer_documents() {
    for (layout, targets) in recorded() {
        for (target, row) in targets.as_object().expect("targets") {
            let bytes = written(shape(&layout, target), "jsonl");
            let text = String::from_utf8(bytes).expect("text");
            assert_eq!(text.lines().count(), 3, "{layout} {target}");
            assert_eq!(text.lines().next().expect("a line"), row.to_string(), "{layout} {target}");
        }
    }
}

/// A value of a row as Parquet gives it back, as JSON: a list is a list, a turn an object.
fn value(field: &parquet::record::Field) -> Value {
    use parquet::record::Field;
    match field {
        Field::Bool(it) => (*it).into(),
        Field::Double(it) => (*it).into(),
        Field::Str(it) => it.as_str().into(),
        Field::Group(row) => {
            row.get_column_iter().map(|(name, it)| (name.clone(), value(it))).collect::<Map<_, _>>().into()
        }
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn parquet_holds_the_same_rows() {
    for (layout, targets) in recorded() {
        for (target, row) in targets.as_object().expect("targets") {
            let path = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(path.path(), written(shape(&layout, target), "parquet")).expect("written");
            let file = std::fs::File::open(path.path()).expect("a file");
            let reader = SerializedFileReader::new(file).expect("a Parquet file");
            let rows: Vec<Value> = reader
                .get_row_iter(None)
                .expect("rows")
                .map(|it| {
                    let it = it.expect("a row");
                    it.get_column_iter()
                        .map(|(name, field)| (name.clone(), value(field)))
                        .collect::<Map<_, _>>()
                        .into()
                })
                .collect();
            assert_eq!(rows, vec![row.clone(); 3], "{layout} {target}");
        }
    }
}

#[test]
fn stanzas_name_columns_that_the_rows_have() {
    for (target, row) in recorded()["llama_factory"].as_object().expect("targets") {
        let info: Value =
            serde_json::from_str(&dataset_info(target, "jsonl", true).expect("text")).expect("JSON");
        assert_eq!(info["concord_eval"]["file_name"], "llama_factory.eval.jsonl");
        let columns = info["concord_train"]["columns"].as_object().expect("columns");
        for column in columns.values() {
            assert!(row.get(column.as_str().expect("a name")).is_some(), "{target}: {column}");
        }
        assert_eq!(columns.len(), row.as_object().expect("a row").len(), "{target}: every column is named");
    }
    for (target, row) in recorded()["axolotl"].as_object().expect("targets") {
        let stanza = axolotl(target, "jsonl", false);
        assert!(!stanza.contains("test_datasets"), "{stanza}");
        for line in stanza.lines().filter_map(|line| line.trim().strip_prefix("field_")) {
            let column = line.split(": ").nth(1).expect("a name");
            assert!(row.get(column).is_some(), "{target}: {column}");
        }
    }
}
