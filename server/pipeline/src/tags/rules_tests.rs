//! What no tag may be: each rule by example, and that nothing kept breaks one, whatever a model writes.

use super::{Broken, Candidate, Recent, RuleWords, Rules, brand_key};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

fn candidate(text: &str) -> Candidate {
    Candidate { text: text.into(), vector: Vec::new(), category: None }
}

fn brands() -> HashSet<String> {
    ["Rillbrook", "Fenwick & Low", "云栖里", "X"].into_iter().filter_map(brand_key).collect()
}

fn broken(text: &str, month: i8) -> Option<Broken> {
    let (words, brands) = (RuleWords::shipped().expect("reads"), brands());
    let recent = [
        Recent { text: "breathable chest waders — Tarnhill, M".into(), vector: Vec::new() },
        Recent { text: "细口壶 带温度计".into(), vector: Vec::new() },
    ];
    Rules { words: &words, brands: &brands, recent: &recent, month: Some(month), near: 0.9, per_category: 2 }
        .alone(&candidate(text))
}

#[test]
fn each_rule_says_what_it_found() {
    assert_eq!(broken("hiking boots", 6), None);
    assert_eq!(broken("户外防水登山鞋", 6), None);
    assert_eq!(broken("boots", 6), Some(Broken::Bare));
    assert_eq!(broken("鞋子", 6), Some(Broken::Bare));
    assert_eq!(broken("smart coffee scale", 6), Some(Broken::Banned("smart".into())));
    assert_eq!(broken("手冲咖啡套装", 6), Some(Broken::Banned("套装".into())));
    assert_eq!(broken("light fenwick low boots", 6), Some(Broken::Brand("fenwick low".into())));
    assert_eq!(broken("云栖里手冲壶", 6), Some(Broken::Brand("云栖里".into())));
    assert_eq!(broken("noise headphones WH-1000XM4", 6), Some(Broken::Model("wh-1000xm4".into())));
    assert_eq!(broken("thermos bottle 750ml", 6), None);
    assert_eq!(broken("insulated snow gloves", 7), Some(Broken::Season("snow".into())));
    assert_eq!(broken("insulated snow gloves", 12), None);
    assert_eq!(broken("夏季防晒帽子", 12), Some(Broken::Season("夏季".into())));
    assert!(matches!(broken("breathable waders", 6), Some(Broken::Recent(_))));
    assert!(matches!(broken("带温度计 细口壶", 6), Some(Broken::Recent(_))));
}

#[test]
fn the_same_in_other_words_and_a_full_category_are_left_out() {
    let (words, brands) = (RuleWords::shipped().expect("reads"), HashSet::new());
    let rules =
        Rules { words: &words, brands: &brands, recent: &[], month: None, near: 0.9, per_category: 2 };
    let of = |text: &str, vector: [f32; 2], category| Candidate {
        text: text.into(),
        vector: vector.into(),
        category: Some(category),
    };
    let screened = rules.screen(vec![
        of("trail running shoes", [1.0, 0.0], 0),
        of("off-road running trainers", [0.96, 0.28], 1),
        of("shoes running trail", [0.0, 1.0], 1),
        of("rain shell", [0.0, 1.0], 0),
        of("head torch", [-1.0, 0.0], 0),
    ]);
    let said: Vec<Option<Broken>> = screened.into_iter().map(|(_, broken)| broken).collect();
    let twin = Some(Broken::Duplicate("trail running shoes".into()));
    assert_eq!(said, [None, twin.clone(), twin, None, Some(Broken::Crowded)]);
}

/// Tags as a bad model would write them: words of every forbidden sort between ordinary ones.
fn some_tag() -> impl Strategy<Value = Candidate> {
    let word = prop::sample::select(vec![
        "smart",
        "set",
        "trail",
        "shoes",
        "shoe",
        "rain",
        "Rillbrook",
        "fenwick",
        "low",
        "WH-1000XM4",
        "750ml",
        "winter",
        "beach",
        "手冲",
        "咖啡壶",
        "智能",
        "云栖里",
        "冬季",
        "waders",
        "breathable",
        "—",
        "",
        "set;",
        "SMART",
    ]);
    let vector = prop::collection::vec(-1.0_f32..1.0, 3);
    (prop::collection::vec(word, 0..5), vector, prop::option::of(0_usize..4)).prop_map(
        |(words, mut vector, category)| {
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
            vector.iter_mut().for_each(|x| *x /= length);
            Candidate { text: words.join(" "), vector, category }
        },
    )
}

proptest! {
    /// Read off the kept tags anew, with other means than the rules' own.
    #[test]
    fn no_tag_that_is_kept_breaks_a_rule(tags in prop::collection::vec(some_tag(), 0..30), month in 1_i8..=12, cap in 1_usize..4) {
        let (words, brands) = (RuleWords::shipped().expect("reads"), brands());
        let recent = [Recent { text: "breathable chest waders, M".into(), vector: vec![1.0, 0.0, 0.0] }];
        let rules = Rules { words: &words, brands: &brands, recent: &recent, month: Some(month), near: 0.9, per_category: cap };
        let n = tags.len();
        let screened = rules.screen(tags);
        prop_assert_eq!(screened.len(), n);
        let kept: Vec<&Candidate> = screened.iter().filter(|(_, broken)| broken.is_none()).map(|(it, _)| it).collect();
        let mut of_category: HashMap<usize, usize> = HashMap::new();
        for (place, tag) in kept.iter().enumerate() {
            let text = format!(" {} ", tag.text.to_lowercase().replace([';', '—', '-'], " "));
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for never in [" smart ", " set ", "智能", " rillbrook ", "云栖里", "1000xm4"] {
                prop_assert!(!format!(" {flat} ").contains(never), "{:?} says {never}", tag.text);
            }
            prop_assert!(!flat.contains("fenwick low"), "{:?}", tag.text);
            prop_assert!([10, 11, 12, 1, 2].contains(&month) || !(flat.contains("winter") || flat.contains("冬季")), "{:?}", tag.text);
            prop_assert!((3..=8).contains(&month) || !flat.contains("beach"), "{:?}", tag.text);
            prop_assert!(tag.vector[0] < 0.9, "like something of the past month");
            for other in &kept[..place] {
                let cosine: f32 = tag.vector.iter().zip(&other.vector).map(|(a, b)| a * b).sum();
                prop_assert!(cosine < 0.951);
            }
            if let Some(category) = tag.category {
                *of_category.entry(category).or_default() += 1;
            }
        }
        prop_assert!(of_category.values().all(|n| *n <= cap));
    }
}
