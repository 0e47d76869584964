//! The demo world: the same again, no name of an interest anywhere, and each interest to be found.

use concord_service::demo::{DemoError, Files, World, files, load};
use jiff::civil::{Date, date};
use serde_json::Value;
use sqlx::PgPool;
use std::collections::{HashMap, HashSet};

const UNTIL: Date = date(2026, 6, 15);

fn world(seed: u64, users: u32) -> World {
    World { seed, users, items: 3000, until: Some(UNTIL) }
}

fn make(seed: u64) -> Files {
    files(world(seed, 500), UNTIL).expect("is made")
}

fn rows(file: &str) -> impl Iterator<Item = Value> {
    file.lines().map(|line| serde_json::from_str(line).expect("JSON"))
}

#[test]
fn the_same_world_is_the_same_bytes() {
    let (one, two, other) = (make(7), make(7), make(8));
    assert_eq!((&one.users, &one.items, &one.behaviours), (&two.users, &two.items, &two.behaviours));
    assert_ne!(one.behaviours, other.behaviours);
    let few = files(world(7, 20), UNTIL).expect("is made");
    assert!(one.behaviours.starts_with(&few.behaviours), "a person does not depend on how many there are");
}

#[test]
fn no_text_names_an_interest() {
    for seed in [1, 7, 23] {
        let world = make(seed);
        let queries: HashSet<String> =
            rows(&world.behaviours).filter_map(|row| Some(row["query"].as_str()?.to_owned())).collect();
        let queries: String = queries.into_iter().collect::<Vec<_>>().join("\n");
        let text = format!("{}{}{queries}", world.users, world.items).to_lowercase();
        let interests = world.truths.iter().filter(|truth| truth.kind == "interest");
        let names: HashSet<String> = interests
            .flat_map(|truth| {
                ["en", "zh"].map(|lang| truth.body["name"][lang].as_str().expect("a name").to_lowercase())
            })
            .collect();
        assert!(names.len() >= 80, "at least forty interests in both languages");
        for name in names {
            assert!(!text.contains(&name), "{name}");
        }
    }
}

#[test]
fn the_world_is_as_described() {
    let world = make(7);
    let items: HashMap<String, Value> =
        rows(&world.items).map(|item| (item["item"].as_str().expect("a key").to_owned(), item)).collect();
    let titles: HashSet<&str> = items.values().filter_map(|item| item["title"].as_str()).collect();
    assert_eq!((items.len(), titles.len()), (3000, 3000), "each title once");
    let leaf = |item: &str| items[item]["category"].to_string();
    let mut categories: HashSet<String> = items.keys().map(|item| leaf(item)).collect();
    assert!(categories.len() >= 120, "{} in both languages", categories.len());
    let chinese = items.values().filter(|item| item["lang"] == "zh").count();
    assert!((1300..1700).contains(&chinese), "{chinese}");

    let mut of_user: HashMap<String, Vec<Value>> = HashMap::new();
    for event in rows(&world.behaviours) {
        of_user.entry(event["user"].as_str().expect("a key").to_owned()).or_default().push(event);
    }
    assert_eq!(of_user.len(), 500);
    for (user, events) in &of_user {
        assert!((30..=260).contains(&events.len()), "{user} has {}", events.len());
        let mut drawn: HashSet<&str> = HashSet::new();
        for truth in world.truths.iter().filter(|t| t.user == *user && t.kind == "interest") {
            let shown: HashSet<&str> =
                truth.body["items"].as_array().expect("keys").iter().filter_map(Value::as_str).collect();
            categories = shown.iter().map(|item| leaf(item)).collect();
            assert!(shown.len() >= 4 && categories.len() >= 2, "{user}: {}", truth.body);
            drawn.extend(shown);
        }
        assert!(!drawn.is_empty());
        // A search of an interest counts as belonging to it: what belongs to none is an item not drawn to.
        let others =
            events.iter().filter(|e| e["item"].as_str().is_some_and(|item| !drawn.contains(item))).count();
        assert!(others * 5 >= events.len(), "{user}: {others} of {}", events.len());
    }
    let kinds: HashSet<String> = of_user.values().flatten().map(|e| e["kind"].to_string()).collect();
    assert_eq!(kinds.len(), 7);
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_second_run_changes_nothing(pool: PgPool) {
    let first = load(&pool, world(7, 40)).await.expect("is loaded");
    assert_eq!((first.users, first.items), (40, 3000));
    assert!(first.new > first.users + first.items + first.behaviours, "and the truth");
    let again = load(&pool, World { until: None, ..world(7, 40) }).await.expect("is loaded");
    assert_eq!((again.new, again.until), (0, UNTIL), "the day of the world that is there");
    assert!(matches!(load(&pool, world(8, 40)).await, Err(DemoError::Another { .. })));
}
