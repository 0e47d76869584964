//! Evidence that is there, evidence that is not, and what is no interest.

use super::{Evidence, Mark, Screen, ScreenWords};
use crate::compress::compress;
use concord_domain::{Behaviour, BehaviourKind, History, ItemEssentials};
use jiff::civil::date;

fn bought(id: i64, item: i64, title: &str, category: &str, day: &str) -> Behaviour {
    Behaviour {
        id,
        kind: BehaviourKind::Purchase,
        at: Some(format!("{day}T18:00:00Z").parse().expect("a time")),
        position: None,
        query: None,
        item: Some(ItemEssentials {
            id: item,
            key: format!("i{item}"),
            title: Some(title.into()),
            category: vec![category.into()],
            brand: None,
            attributes: Vec::new(),
            price: None,
        }),
    }
}

fn world() -> (Vec<Behaviour>, History) {
    let events = vec![
        bought(1, 1, "felt-soled wading boots", "Shoes", "2026-01-05"),
        bought(2, 2, "barbless dry hooks", "Angling", "2026-05-20"),
        bought(3, 3, "3-ply toilet paper", "Household", "2026-02-01"),
        bought(4, 3, "3-ply toilet paper", "Household", "2026-03-01"),
        bought(5, 3, "3-ply toilet paper", "Household", "2026-04-01"),
        bought(6, 4, "muslin swaddles", "Nursery", "2026-06-01"),
        bought(7, 5, "leather wallet", "Accessories", "2026-06-02"),
        bought(8, 6, "wallet gift box", "Accessories", "2026-06-02"),
    ];
    let history = compress(&events, Some(date(2026, 6, 15)), 5000, &crate::language::estimate_tokens);
    (events, history)
}

fn lines_of(history: &History, ids: &[i64]) -> Vec<u32> {
    history.lines.iter().filter(|l| l.behaviours.iter().any(|id| ids.contains(id))).map(|l| l.n).collect()
}

#[test]
fn marks_say_what_the_evidence_is() {
    let (words, (events, history)) = (ScreenWords::shipped().expect("reads"), world());
    let profile = [("household".to_owned(), "lives alone".to_owned())];
    let screen = Screen::new(&words, &profile, &history, &events);
    let marks = |ids: &[i64]| screen.marks(&screen.evidence(&lines_of(&history, ids)));
    assert_eq!(marks(&[1, 2]), []);
    assert_eq!(marks(&[1]), [Mark::SingleAction]);
    assert_eq!(marks(&[3, 4, 5]), [Mark::Consumable]);
    assert_eq!(marks(&[6]), [Mark::SingleAction, Mark::Gift], "nobody small lives there");
    assert!(marks(&[7, 8]).contains(&Mark::OneBurst));
    assert_eq!(screen.marks(&screen.evidence(&[77, 0])), [Mark::CitesNothing]);
    let boots = screen.of_items(&[1, 2]);
    assert_eq!((boots.behaviours.len(), screen.marks(&boots)), (2, Vec::new()));
    assert_eq!(boots.lines, lines_of(&history, &[1, 2]));
    assert_eq!(screen.of_items(&[99]), Evidence::default());
    let short = History { lines: history.lines[..1].to_vec(), ..history.clone() };
    let cut = Screen::new(&words, &profile, &short, &events).of_items(&[1, 2]);
    assert_eq!(
        cut.behaviours, boots.behaviours,
        "what did not fit into the history is evidence all the same"
    );
    assert_eq!(cut.lines, lines_of(&short, &[1, 2]), "and only lines that are there are cited");
    let parent = [("household".to_owned(), "with partner and an infant".to_owned())];
    let screen = Screen::new(&words, &parent, &history, &events);
    assert_eq!(screen.marks(&screen.evidence(&lines_of(&history, &[6]))), [Mark::SingleAction]);
    let (consumables, _) = screen.wary();
    assert_eq!(consumables, lines_of(&history, &[3]));
}

#[test]
fn evidence_is_the_behaviours_behind_the_lines_that_exist() {
    let (words, (events, history)) = (ScreenWords::shipped().expect("reads"), world());
    let screen = Screen::new(&words, &[], &history, &events);
    let line = lines_of(&history, &[3])[0];
    let Evidence { lines, mut behaviours } = screen.evidence(&[line, 99]);
    behaviours.sort_unstable();
    assert_eq!((lines, behaviours), (vec![line], vec![3, 4, 5]));
}
