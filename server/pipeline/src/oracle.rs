//! What is right to say of a sample of the demo world, by fixed rules from its stored truth: what simulated annotators
//! answer before their noise and bias. Rules, not people: they are the same for every model, which is all that a
//! comparison of models needs.

use crate::truth::TruthWords;
use crate::words::{is_han, pieces, stems};
use std::collections::HashSet;

/// A latent interest of a person.
#[derive(Debug, Clone, Default)]
pub struct Latent {
    /// Its name in both languages.
    pub names: Vec<String>,
    /// Titles of the things it showed in.
    pub titles: Vec<String>,
    /// Categories of these.
    pub categories: HashSet<String>,
}

/// What is true of a person.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What they are drawn to.
    pub interests: Vec<Latent>,
    /// Titles of what they bought as presents or because it had run out.
    pub others: Vec<String>,
}

/// What was said of them.
#[derive(Debug, Clone, Default)]
pub struct Said<'a> {
    /// Task.
    pub task: &'a str,
    /// The text.
    pub text: &'a str,
    /// The interest that a tag or an explanation rests on.
    pub interest: Option<&'a str>,
    /// The tag that an explanation rests on.
    pub tag: Option<&'a str>,
    /// Category of the tag or of the explained item.
    pub category: Option<&'a str>,
    /// The explained item in one line.
    pub item: Option<&'a str>,
}

impl Known {
    /// Whether each criterion is met; empty for a task that the rules know nothing of.
    #[must_use]
    pub fn right(&self, rule: &TruthWords, said: &Said<'_>) -> Vec<(&'static str, bool)> {
        match said.task {
            "interest" => self.interest(rule, said.text),
            "tag" => self.tag(rule, said),
            "explanation" => self.explanation(rule, said),
            _ => Vec::new(),
        }
    }

    /// The latent interests that a text names.
    fn named<'a>(&'a self, rule: &'a TruthWords, text: &'a str) -> impl Iterator<Item = &'a Latent> {
        self.interests.iter().filter(move |it| {
            let names: Vec<&str> = it.names.iter().map(String::as_str).collect();
            rule.matches(&names, text)
        })
    }

    /// An interest is right where it names a latent one. What names none is made up; it is spontaneous all the same
    /// unless it speaks of presents and staples.
    fn interest(&self, rule: &TruthWords, text: &str) -> Vec<(&'static str, bool)> {
        let real = self.named(rule, text).next().is_some();
        let staple = !real && touches(text, &self.others);
        vec![("willingness", !staple), ("reasonableness", real)]
    }

    /// A tag is relevant where it names a latent interest or belongs to a category that one shows in; consistent where
    /// it does so for the interest it rests on; specific with two words; valid where such a thing is known.
    fn tag(&self, rule: &TruthWords, said: &Said<'_>) -> Vec<(&'static str, bool)> {
        let fits = |it: &Latent| {
            said.category.is_some_and(|category| it.categories.contains(category))
                || touches(said.text, &it.titles)
        };
        let relevant = self.named(rule, said.text).next().is_some() || self.interests.iter().any(fits);
        let consistent = said.interest.is_none_or(|interest| {
            let names = |it: &&Latent| self.named(rule, said.text).any(|other| std::ptr::eq(other, *it));
            let mut of = self.named(rule, interest).peekable();
            if of.peek().is_some() {
                of.any(|it| fits(it) || names(&it))
            } else {
                !pieces(interest).is_disjoint(&pieces(said.text))
            }
        });
        let specific = size(said.text) >= 2;
        vec![
            ("relevance", relevant),
            ("consistency", consistent),
            ("specificity", specific),
            ("validity", said.category.is_some() && size(said.text) <= 8),
        ]
    }

    /// A line is relevant where its item belongs to what draws the person; factual where every number in it stands in
    /// what it was written from; clear where it is a sentence and does not repeat itself.
    fn explanation(&self, rule: &TruthWords, said: &Said<'_>) -> Vec<(&'static str, bool)> {
        let item = said.item.unwrap_or_default();
        let draws = |it: &Latent| {
            said.category.is_some_and(|category| it.categories.contains(category))
                || touches(item, &it.titles)
        };
        let relevant = self.interests.iter().any(draws) || self.named(rule, item).next().is_some();
        let source =
            pieces(&[item, said.tag.unwrap_or_default(), said.interest.unwrap_or_default()].join(" "));
        let number = |word: &String| word.chars().any(|c| c.is_ascii_digit());
        let factual = stems(said.text).iter().filter(|word| number(word)).all(|word| source.contains(word));
        let n = size(said.text);
        vec![
            ("relevance", relevant),
            ("factuality", factual),
            ("clarity", (4..=60).contains(&n) && !repeats(said.text)),
            ("safety", true),
        ]
    }
}

/// Whether a text shares a telling word with one of these titles: two pieces, or one of six letters or more.
fn touches(text: &str, titles: &[String]) -> bool {
    let own = pieces(text);
    titles.iter().any(|title| {
        let theirs = pieces(title);
        let shared: Vec<&String> = own.intersection(&theirs).filter(|it| it.chars().count() > 1).collect();
        shared.len() >= 2 || shared.iter().any(|it| it.len() >= 6)
    })
}

/// Words, two characters being one where they are not divided.
fn size(text: &str) -> usize {
    stems(text)
        .iter()
        .map(|word| if word.chars().all(is_han) { word.chars().count().div_ceil(2) } else { 1 })
        .sum()
}

/// Whether three words come twice in the same order.
fn repeats(text: &str) -> bool {
    let words = stems(text);
    let mut seen = HashSet::new();
    words.windows(3).any(|three| !seen.insert(three.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let latent = Latent {
            names: vec!["fly fishing".into(), "飞蝇钓".into()],
            titles: vec!["breathable chest waders".into()],
            categories: ["outdoor > fish".to_owned()].into(),
        };
        Known { interests: vec![latent], others: vec!["laundry detergent, 3 l".into()] }
    }

    fn right(said: &Said<'_>) -> Vec<&'static str> {
        let rule = TruthWords::shipped().expect("reads");
        known().right(&rule, said).into_iter().filter_map(|(name, pass)| pass.then_some(name)).collect()
    }

    #[test]
    fn an_interest_is_right_where_it_names_a_latent_one() {
        let of = |text| right(&Said { task: "interest", text, ..Said::default() });
        assert_eq!(of("river angling at dawn"), ["willingness", "reasonableness"]);
        assert_eq!(of("trail running"), ["willingness"]);
        assert!(of("laundry detergent refills").is_empty());
    }

    #[test]
    fn a_tag_is_right_where_it_leads_to_what_draws_the_person() {
        let of = |text, interest, category| {
            right(&Said { task: "tag", text, interest: Some(interest), category, ..Said::default() })
        };
        assert_eq!(
            of("chest waders", "fly fishing", Some("outdoor > fish")),
            ["relevance", "consistency", "specificity", "validity"]
        );
        assert_eq!(of("breathable", "knitting", None), ["relevance"]);
        assert_eq!(
            of("yarn bowl", "yarn crafts", Some("craft > yarn")),
            ["consistency", "specificity", "validity"]
        );
    }

    #[test]
    fn a_line_may_say_no_number_that_stands_nowhere() {
        let of = |text| {
            let item = Some("felt-soled wading boots, size 44");
            right(&Said {
                task: "explanation",
                text,
                item,
                category: Some("outdoor > fish"),
                ..Said::default()
            })
        };
        assert_eq!(of("Size 44 boots for cold rivers."), ["relevance", "factuality", "clarity", "safety"]);
        assert_eq!(of("Now 30 percent off, hurry!"), ["relevance", "clarity", "safety"]);
        assert_eq!(of("boots"), ["relevance", "factuality", "safety"]);
    }
}
