use super::*;
use crate::Asked;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn encoder() -> Encoder {
    let shape = Shape { layout: "trl".into(), target: "kto".into() };
    Encoder::new(vec![shape], &["jsonl".to_owned(), "parquet".to_owned()], true).unwrap()
}

fn record(n: usize) -> Record {
    let asked = Asked { system: "s".into(), user: format!("question {n}") };
    Record::Sided(asked, "answer \"quoted\"\n".into(), n.is_multiple_of(2))
}

async fn fill(mut folder: ExportFolder, rows: usize) -> Result<String, (ExportFolder, ExportError)> {
    let mut encoder = encoder();
    for n in 0..rows {
        encoder.push(&record(n), n % 3 == 0, &serde_json::json!({"row": n})).unwrap();
        folder.write(encoder.take()).await.unwrap();
    }
    folder.write(encoder.finish().unwrap()).await.unwrap();
    let manifest = Manifest { schema: "concord.export/2", rows: rows as u64, ..Manifest::default() };
    match folder.seal(manifest, vec![(CARD, "# Card\n".into())]).await {
        Ok(sha256) => {
            folder.publish().unwrap();
            Ok(sha256)
        }
        Err(error) => Err((folder, error)),
    }
}

async fn write(target: &Path, rows: usize) -> Result<String, ExportError> {
    let folder = ExportFolder::create(&target.to_string_lossy(), &encoder().names()).await?;
    fill(folder, rows).await.map_err(|(_, error)| error)
}

#[tokio::test]
async fn the_same_rows_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    assert_eq!(write(&one, 7).await.unwrap(), write(&two, 7).await.unwrap());
    let names = ["train.jsonl", "train.parquet", "eval.jsonl", "eval.parquet", LINEAGE, CARD, MANIFEST];
    for name in names {
        let bytes = fs::read(one.join(name)).unwrap();
        assert_eq!(bytes, fs::read(two.join(name)).unwrap(), "{name}");
    }
    let lines = fs::read_to_string(one.join("train.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 4, "three of seven are held out");
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["completion"][0]["content"], "answer \"quoted\"\n");
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(one.join(MANIFEST)).unwrap()).unwrap();
    let of = |name: &str| manifest["files"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
    for (name, rows) in [("train.parquet", 4), ("eval.jsonl", 3), (LINEAGE, 7)] {
        let it = of(name);
        let bytes = fs::read(one.join(name)).unwrap();
        assert_eq!(
            (it["rows"].as_u64(), it["bytes"].as_u64()),
            (Some(rows), Some(bytes.len() as u64)),
            "{name}"
        );
        assert_eq!(it["sha256"], hex(Sha256::new_with_prefix(&bytes)), "{name}");
    }
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine"), "x").unwrap();
    assert!(matches!(write(dir.path(), 1).await, Err(ExportError::NotEmpty(_))));
    assert_eq!(fs::read(dir.path().join("mine")).unwrap(), b"x");
}

#[tokio::test]
async fn nothing_agreed_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(write(&dir.path().join("out"), 0).await, Err(ExportError::NothingAgreed)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let wrong = ExportFolder::create("ftp://somewhere/x", &[]).await.unwrap_err();
    assert!(wrong.to_string().contains("s3://BUCKET/PREFIX"), "{wrong}");
}

async fn keys(store: &InMemory) -> Vec<String> {
    use futures::TryStreamExt;
    store.list(None).map_ok(|it| it.location.to_string()).try_collect().await.unwrap()
}

#[tokio::test]
async fn object_storage_gets_the_same_files_and_is_left_clean_when_nothing_is_agreed() {
    let store = Arc::new(InMemory::new());
    let open = async |prefix: &str| {
        let place = Place::within(store.clone(), Key::from(prefix), prefix).await?;
        ExportFolder::at(place, &encoder().names()).await
    };
    let (folder, error) = fill(open("a/b").await.unwrap(), 0).await.unwrap_err();
    assert!(matches!(error, ExportError::NothingAgreed));
    folder.give_up().await.unwrap();
    assert_eq!(keys(&store).await, Vec::<String>::new());
    fill(open("a/b").await.unwrap(), 5).await.map_err(|(_, error)| error).unwrap();
    assert_eq!(keys(&store).await.len(), 7);
    assert!(matches!(open("a/b").await, Err(ExportError::NotEmpty(_))));
}

#[tokio::test]
async fn a_folder_is_written_by_one_and_what_a_killed_try_left_goes() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    let left = dir.path().join(".out.partial");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("train.jsonl"), "half a li").unwrap();
    fs::write(left.join("of-another-policy.jsonl"), "{}").unwrap();
    let open = || ExportFolder::create(target.to_str().unwrap(), &[]);
    let first = open().await.unwrap();
    assert!(matches!(open().await, Err(ExportError::Busy(_))));
    drop(first);
    write(&target, 4).await.unwrap();
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["out"], "nothing is left beside it");
    assert!(!target.join("of-another-policy.jsonl").exists());
    assert!(matches!(open().await, Err(ExportError::NotEmpty(_))));
    assert!(!left.exists());
}
