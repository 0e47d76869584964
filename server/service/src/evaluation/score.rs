//! Scores of one generator: sums over users, and intervals by resampling users.

use crate::audit::estimate;
use concord_agreement::{Estimate, cluster_bootstrap};
use concord_domain::GeneratorScore;
use concord_pipeline::truth::TruthWords;
use std::collections::BTreeSet;

const REPLICATES: usize = 2000;

/// What was told of a user: interests, and the categories of up to 30 tags.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) interests: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) tags: usize,
}

impl Told {
    /// Different categories.
    pub(super) fn distinct(&self) -> usize {
        self.categories.iter().collect::<BTreeSet<_>>().len()
    }
}

/// A user: what is true, what comes next, what the run told.
#[derive(Debug, Clone, Default)]
pub(super) struct User {
    pub(super) latent: Vec<Vec<String>>,
    pub(super) next: Option<String>,
    pub(super) lang: String,
    pub(super) told: Told,
}

/// What a user adds: recovered, latent, unsupported, interests, hits, asked. Several tellings count as their mean.
type Sums = [f64; 6];

pub(super) fn score(
    name: &str,
    users: &[User],
    rule: &TruthWords,
    tell: impl Fn(usize, &User) -> Vec<Told>,
) -> GeneratorScore {
    let mut rows: Vec<(Sums, u64)> = Vec::with_capacity(users.len());
    let (mut interests, mut tags, mut categories) = (0.0, 0.0, 0.0);
    for (place, user) in users.iter().enumerate() {
        let told = tell(place, user);
        let mut sums = [0.0; 6];
        for one in &told {
            let share = 1.0 / real(told.len());
            for (sum, value) in sums.iter_mut().zip(of_user(user, one, rule)) {
                *sum += value * share;
            }
            interests += real(one.interests.len()) * share;
            tags += real(one.tags) * share;
            categories += real(one.distinct()) * share;
        }
        if !told.is_empty() {
            rows.push((sums, 1));
        }
    }
    let n = real(rows.len().max(1));
    let [recovered, unsupported, hr30] = estimates(&rows);
    GeneratorScore {
        name: name.to_owned(),
        recovered: estimate(recovered),
        unsupported: estimate(unsupported),
        hr30: estimate(hr30),
        interests: interests / n,
        tags: tags / n,
        categories: categories / n,
    }
}

fn of_user(user: &User, told: &Told, rule: &TruthWords) -> Sums {
    let says = |latent: &Vec<String>, text: &String| {
        let names: Vec<&str> = latent.iter().map(String::as_str).collect();
        rule.matches(&names, text)
    };
    let recovered =
        user.latent.iter().filter(|latent| told.interests.iter().any(|text| says(latent, text))).count();
    let unsupported =
        told.interests.iter().filter(|text| !user.latent.iter().any(|latent| says(latent, text))).count();
    let asked = user.next.is_some() && told.tags > 0;
    let hit = asked && user.next.as_ref().is_some_and(|next| told.categories.contains(next));
    [
        real(recovered),
        real(user.latent.len()),
        real(unsupported),
        real(told.interests.len()),
        f64::from(u8::from(hit)),
        f64::from(u8::from(asked)),
    ]
}

/// Ratios of sums with percentile intervals over users; `n` counts what each is a share of.
fn estimates(rows: &[(Sums, u64)]) -> [Estimate; 3] {
    let ratios = |sums: &Sums| {
        [(0, 1), (2, 3), (4, 5)].map(|(of, all)| (sums[all] > 0.0).then(|| sums[of] / sums[all]))
    };
    let mut total = [0.0; 6];
    for (sums, _) in rows {
        total.iter_mut().zip(sums).for_each(|(total, value)| *total += value);
    }
    let spread = cluster_bootstrap(rows, ratios, REPLICATES, 1);
    let why = [
        "no latent interests",
        "no interests were written",
        "no tags, or no item was kept away: generate with --hold-out",
    ];
    let places = [1, 3, 5];
    let values = ratios(&total);
    std::array::from_fn(|it| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let n = total[places[it]].round() as u64;
        match values[it] {
            Some(value) => Estimate::at95("cluster_bootstrap", n, value, spread[it].se, spread[it].ci),
            None => Estimate::none("cluster_bootstrap", n, why[it]),
        }
    })
}

/// The mean of a number a user has, with its interval over users.
pub(super) fn mean_of_users(values: &[f64]) -> Estimate {
    let rows: Vec<([f64; 2], u64)> = values.iter().map(|value| ([*value, 1.0], 1)).collect();
    let mean = |sums: &[f64; 2]| [(sums[1] > 0.0).then(|| sums[0] / sums[1])];
    let [spread] = cluster_bootstrap(&rows, mean, REPLICATES, 1);
    let n = values.len() as u64;
    match mean(&[values.iter().sum(), real(values.len())])[0] {
        Some(value) => Estimate::at95("cluster_bootstrap", n, value, spread.se, spread.ci),
        None => Estimate::none("cluster_bootstrap", n, "no user has two explanations"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of users and texts")]
fn real(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_latent_interests_of_written_ones_and_of_users() {
        let rule = TruthWords::shipped().expect("reads");
        let user = |latent: &[&str], interests: &[&str], next: &str, categories: &[&str]| User {
            latent: latent.iter().map(|it| vec![(*it).to_owned()]).collect(),
            next: Some(next.to_owned()),
            lang: "en".into(),
            told: Told {
                interests: interests.iter().map(|it| (*it).to_owned()).collect(),
                categories: categories.iter().map(|it| (*it).to_owned()).collect(),
                tags: categories.len(),
            },
        };
        let users = [
            user(&["fly fishing", "knitting"], &["river angling", "gadgets"], "A", &["A", "B", "A"]),
            user(&["knitting"], &["hand knitting"], "C", &["A"]),
        ];
        let own = score("generator", &users, &rule, |place, _| vec![users[place].told.clone()]);
        assert_eq!((own.recovered.est, own.recovered.n), (Some(2.0 / 3.0), 3));
        assert_eq!((own.unsupported.est, own.unsupported.n), (Some(1.0 / 3.0), 3));
        assert_eq!((own.hr30.est, own.hr30.n), (Some(0.5), 2));
        assert!((own.categories - 1.5).abs() < 1e-9 && (own.tags - 2.0).abs() < 1e-9);
        let other = score("shuffled", &users, &rule, |place, _| vec![users[1 - place].told.clone()]);
        assert_eq!(
            other.recovered.est,
            Some(1.0 / 3.0),
            "knitting is told to the first, and nothing right to the second"
        );
    }
}
