//! People: a language, a profile, and what draws them. The profile fits the interests and never names one.

use super::sources::{Both, Sources};
use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// A person.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) key: String,
    pub(super) zh: bool,
    pub(super) profile: Vec<(String, String)>,
    /// Places of the interests, two to five.
    pub(super) interests: Vec<usize>,
}

/// The one interest that a profile must not contradict.
const INFANT: &str = "baby's first year";

impl Person {
    pub(super) fn make(n: u32, sources: &Sources, rng: &mut ChaCha8Rng) -> Self {
        let zh = rng.random_bool(0.5);
        let all: Vec<usize> = (0..sources.interests.len()).collect();
        let many = rng.random_range(2..=5);
        let interests: Vec<usize> = all.choose_multiple(rng, many).copied().collect();
        let infant = interests.iter().any(|place| sources.interests[*place].name.en == INFANT);
        let people = &sources.people;
        let ages = if infant { &people.age[1..3] } else { &people.age[..] };
        let homes = if infant { &people.infant } else { &people.household };
        let mut profile = Vec::new();
        for (en, words, values) in [
            ("age", "年龄", ages),
            ("gender", "性别", &people.gender[..]),
            ("city", "城市", &people.city[..]),
            ("household", "家庭", &homes[..]),
            ("work", "职业", &people.work[..]),
        ] {
            let name = if zh { words } else { en };
            let value = values.choose(rng).map(|value: &Both| value.say(zh)).unwrap_or_default();
            profile.push((name.to_owned(), value.to_owned()));
        }
        Self { key: format!("demo-u{n:05}"), zh, profile, interests }
    }
}
