use super::*;
use proptest::prelude::*;

fn people(of: &[(i64, &[i64])]) -> HashMap<i64, Vec<i64>> {
    of.iter().map(|(item, people)| (*item, people.to_vec())).collect()
}

fn item(id: i64, title: &str, brand: Option<&str>) -> ItemEssentials {
    ItemEssentials {
        id,
        key: format!("i{id}"),
        title: Some(title.into()),
        category: vec!["Outdoor".into(), "Optics".into()],
        brand: brand.map(str::to_owned),
        attributes: Vec::new(),
        price: None,
    }
}

#[test]
fn things_of_the_same_people_are_a_thread_and_the_closest_comes_first() {
    let used = people(&[
        (1, &[1, 2, 3, 4, 5, 6]),
        (2, &[1, 2, 3, 4, 5, 6]),
        (3, &[2, 3, 4, 9]),
        (7, &[20, 21]),
        (8, &[20, 21, 22]),
        (9, &[22, 30]),
    ]);
    assert_eq!(threads(&[9, 7, 3, 2, 8, 1], &used), [vec![2, 1, 3], vec![7, 8]]);
    assert!(threads(&[1, 9], &used).is_empty(), "nobody uses both");
    assert!(threads(&[8, 9], &used).is_empty(), "one person is chance");
    assert!(threads(&[1, 2], &HashMap::new()).is_empty(), "nobody else is there");
}

#[test]
fn what_goes_with_a_thread_is_what_its_people_use_together() {
    let used = people(&[
        (1, &[1, 2, 3, 4]),
        (2, &[1, 2, 3]),
        (3, &[3, 4, 9]),
        (5, &[1, 2, 3, 5]),
        (6, &[2, 3, 8, 9, 10, 11]),
        (7, &[4, 20]),
        (8, &[1, 4, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50]),
    ]);
    assert_eq!(company(&[1, 2, 3], &used), [3, 1, 2, 4, 9], "who uses the most of it first");
    assert_eq!(foremost(&[3, 2, 1], &used), [1, 2, 3]);
    assert_eq!(
        beside(&[1, 2], &[7, 6, 5, 8, 99], &used),
        [5, 6, 8],
        "the likest first; neither what one person of them uses, nor what nobody does"
    );
    assert!(beside(&[], &[5], &used).is_empty());
}

#[test]
fn where_people_are_cut_off_the_same_people_are_looked_at() {
    let most: Vec<i64> = (0..PEOPLE as i64).collect();
    let few: Vec<i64> = vec![10, 20, 30, 40, 100_000, 100_001, 100_002, 100_003];
    let cut = likeness(&most, &few);
    assert!(
        (cut - likeness(&most, &few[..4])).abs() < 1e-6,
        "whom the long list could not hold is not missed in it"
    );
    assert!((likeness(&few, &few) - 8.0 / 9.0).abs() < 1e-6);
}

#[test]
fn a_thread_is_shown_without_brands_and_each_kind_of_thing_once() {
    let own = [
        item(1, "Spotting scope with tripod — Tarnhill, grey", Some("Tarnhill")),
        item(2, "Solway spotting scope with tripod, navy", Some("Solway")),
        item(3, "云栖里 湿地鸟种图鉴 精装", Some("云栖里")),
        item(4, "Tarnhill", Some("Tarnhill")),
        item(5, "line\n- another", None),
    ];
    let thread: Vec<&ItemEssentials> = own.iter().collect();
    let prompt = prompt(&thread, "en").expect("reads");
    assert_eq!(
        prompt.user,
        "- Spotting scope with tripod grey [Optics]\n- 湿地鸟种图鉴 精装 [Optics]\n- Tarnhill [Optics]\n- line - another [Optics]"
    );
}

#[test]
fn no_example_of_the_prompt_is_true_of_anybody_in_the_demo_world() {
    let rule = crate::truth::TruthWords::shipped().expect("reads");
    let world = include_str!("../../../../models/demo/interests.toml");
    let lines = world.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let names: Vec<Vec<&str>> = lines.map(|line| line.split('|').collect()).collect();
    assert!(names.len() >= 40);
    let others = [
        include_str!("../../../../models/prompts/interests.toml"),
        include_str!("../../../../models/prompts/tags.toml"),
        include_str!("../../../../models/prompts/explanations.toml"),
    ];
    for prompts in others.into_iter().chain([TEXT]) {
        for name in &names {
            assert!(!rule.matches(name, prompts), "{name:?} stands in a prompt");
        }
    }
}

proptest! {
    #[test]
    fn every_thing_is_in_one_thread_at_most_and_no_thread_has_one_thing(
        used in prop::collection::vec(prop::collection::btree_set(0_i64..12, 0..6), 0..24)
    ) {
        let items: Vec<i64> = (0..used.len() as i64).collect();
        let people: HashMap<i64, Vec<i64>> =
            items.iter().copied().zip(used.into_iter().map(|it| it.into_iter().collect())).collect();
        let found = threads(&items, &people);
        let mut all: Vec<i64> = found.concat();
        all.sort_unstable();
        let n = all.len();
        all.dedup();
        prop_assert_eq!(all.len(), n);
        prop_assert!(found.iter().all(|thread| thread.len() > 1));
        for thread in &found {
            for thing in thread {
                let known = thread.iter().any(|other| other != thing && people[other].iter().any(|it| people[thing].contains(it)));
                prop_assert!(known, "a thing that shares nobody with its thread");
            }
        }
    }
}
