//! What must hold whatever the data, and what must hold on average, by simulation with fixed seeds.

use concord_agreement::certificate::{choose_threshold, choose_threshold_weighted, grid_from, starts_at};
use concord_agreement::drift::Detector;
use concord_agreement::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn cells() -> impl Strategy<Value = Cells> {
    (0..60_u32, 0..60_u32, 0..60_u32, 0..60_u32).prop_map(|(tp, fp, fn_, tn)| Cells {
        tp: tp.into(),
        fp: fp.into(),
        fn_: fn_.into(),
        tn: tn.into(),
    })
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        (a, b) => a.is_none() && b.is_none(),
    }
}

proptest! {
    #[test]
    fn kappa_does_not_care_who_is_first_nor_what_the_answers_are_called(c in cells()) {
        let swapped = Cells { fp: c.fn_, fn_: c.fp, ..c };
        let renamed = Cells { tp: c.tn, fp: c.fn_, fn_: c.fp, tn: c.tp };
        for (a, b) in [(c, swapped), (c, renamed)] {
            prop_assert!(same(a.kappa(), b.kappa()) && same(a.ac1(), b.ac1()) && same(a.mcc(), b.mcc()));
        }
        prop_assert!(same(c.kappa(), kappa(&c.table()).estimate.est));
    }

    #[test]
    fn nothing_is_ever_nan(c in cells()) {
        let all = [c.prevalence(), c.accuracy(), c.precision(), c.recall(), c.specificity(), c.npv(), c.f1(),
            c.balanced_accuracy(), c.mcc(), c.kappa(), c.kappa_max(), c.ac1(), c.scott_pi(), c.pabak()];
        prop_assert!(all.iter().flatten().all(|value| value.is_finite()));
    }

    #[test]
    fn alpha_of_two_complete_raters_is_scott_s_pi_with_a_small_sample_term(c in cells()) {
        let n = c.n();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
        let unit = |counts: [u32; 2], times: f64| Unit { counts: counts.to_vec(), times: times as u64 };
        let units = [unit([0, 2], c.tp), unit([1, 1], c.fp + c.fn_), unit([2, 0], c.tn)];
        let alpha = krippendorff(&units, &[0.0, 1.0], Metric::Nominal, 2, 1).est;
        if let (Some(alpha), Some(pi)) = (alpha, c.scott_pi()) {
            prop_assert!((alpha - (pi + (1.0 - pi) / (2.0 * n))).abs() < 1e-9);
        }
    }

    #[test]
    fn an_exact_interval_holds_its_estimate(k in 0..200_u64, more in 0..200_u64) {
        let n = k + more;
        prop_assume!(n > 0);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let p = k as f64 / n as f64;
        for (low, high) in [clopper_pearson(k, n, 0.95).unwrap(), wilson(k, n, 0.95).unwrap()] {
            prop_assert!(low <= p + 1e-12 && p <= high + 1e-12);
        }
    }

    #[test]
    fn people_alone_are_ppi_without_power_and_post_stratification_of_a_constant_judge(
        labels in prop::collection::vec(any::<bool>(), 3..60), pool in 10..500_u64,
    ) {
        let y: Vec<f64> = labels.iter().map(|pass| f64::from(u8::from(*pass))).collect();
        let constant = vec![1.0; y.len()];
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        let alone = pass_rate::ppi(&y, &constant, &[1.0, 0.0, 1.0], 0.0);
        prop_assert!((alone.est.unwrap() - mean).abs() < 1e-9);
        let tp: f64 = y.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let c = Cells { tp, fp: y.len() as f64 - tp, ..Cells::default() };
        let found = post_stratified((pool, 0), &c, (y.len() as u64, 0));
        prop_assert!((found.est.unwrap() - mean).abs() < 1e-9);
    }

    #[test]
    fn a_laxer_promise_covers_no_less(seed in any::<u64>(), eps in 0.05..0.3_f64, delta in 0.02..0.3_f64) {
        let rows = world(seed, 300, |_| 0.1);
        let grid: Vec<f64> = (0..=50).rev().map(|at| 0.5 + f64::from(at) / 100.0).collect();
        let threshold = |eps, delta| {
            choose_threshold(&rows, &grid, &[5, 10, 20], eps, delta).certified.map_or(2.0, |it| it.threshold)
        };
        prop_assert!(threshold(eps * 1.3, delta) <= threshold(eps, delta));
        prop_assert!(threshold(eps, delta * 1.5) <= threshold(eps, delta));
    }

    #[test]
    fn a_judge_that_is_one_of_the_people_ties_with_them(labels in prop::collection::vec((any::<bool>(), any::<bool>()), 30..80)) {
        let value = |pass: bool| f64::from(u8::from(pass));
        let items: Vec<AltTestItem> = labels
            .iter()
            .map(|(a, b)| AltTestItem { judge: value(*a), humans: vec![(0, value(*a)), (1, value(*b))] })
            .collect();
        let found = alt_test(&items, Score::Accuracy, 0.1, 0.05);
        prop_assert_eq!((found.humans[0].judge_wins, found.humans[0].human_wins), (Some(1.0), Some(1.0)));
    }
}

/// (confidence, error): confidence uniform on .5..1, error with the probability that a world gives it.
fn world(seed: u64, n: usize, error: impl Fn(f64) -> f64) -> Vec<(f64, bool)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n)
        .map(|_| {
            let confidence = 0.5 + 0.5 * rng.random::<f64>();
            (confidence, rng.random::<f64>() < error(confidence))
        })
        .collect()
}

/// True error rate among what a threshold accepts, by a large sample.
fn true_error(threshold: f64, error: impl Fn(f64) -> f64) -> f64 {
    let steps = 2000;
    let at = |step: i32| threshold + (1.0 - threshold) * (f64::from(step) + 0.5) / f64::from(steps);
    (0..steps).map(|step| error(at(step))).sum::<f64>() / f64::from(steps)
}

#[test]
fn a_certificate_is_wrong_no_more_often_than_it_says() {
    let (eps, delta, runs) = (0.10, 0.10, 400);
    let worlds: [fn(f64) -> f64; 3] = [
        |_| 0.101,
        |confidence| if confidence > 0.95 { 0.2 } else { 0.06 },
        |confidence| if confidence > 0.8 { 0.03 } else { 0.25 },
    ];
    for (place, error) in worlds.into_iter().enumerate() {
        let (mut wrong, mut weighted_wrong) = (0, 0);
        for run in 0..runs {
            let pool: Vec<f64> = world(run + 1_000_000, 500, error).into_iter().map(|it| it.0).collect();
            let grid = grid_from(&pool);
            let starts = starts_at(&grid, &pool, &[0.1, 0.2, 0.4, 0.7]);
            let rows = world(run, 500, error);
            let found = choose_threshold(&rows, &grid, &starts, eps, delta);
            wrong += u32::from(found.certified.is_some_and(|it| true_error(it.threshold, error) > eps));
            // Every second label drawn with half the chance.
            let mut rng = ChaCha8Rng::seed_from_u64(run);
            let drawn: Vec<(f64, bool, f64)> = rows
                .iter()
                .enumerate()
                .map(|(at, row)| (row.0, row.1, if at % 2 == 0 { 1.0 } else { 0.5 }))
                .filter(|row| rng.random::<f64>() < row.2)
                .collect();
            let found = choose_threshold_weighted(&drawn, &grid, &starts, eps, delta);
            weighted_wrong +=
                u32::from(found.certified.is_some_and(|it| true_error(it.threshold, error) > eps));
        }
        // Three standard errors of a rate of delta over these runs: .045.
        let most = (f64::from(u32::try_from(runs).unwrap()) * (delta + 0.045)).floor();
        assert!(
            f64::from(wrong) <= most && f64::from(weighted_wrong) <= most,
            "world {place}: {wrong}, {weighted_wrong}"
        );
    }
}

#[test]
fn the_wealth_of_a_bet_against_the_truth_has_a_mean_of_at_most_one() {
    let (p0, bets) = (0.9, [0.25, 0.5, 1.0, 2.0, 4.0]);
    let mut mean = 0.0;
    for stream in 0..1_u32 << 12 {
        let mut detector = Detector::new(p0, &bets, 1000.0);
        let mut probability = 1.0;
        for place in 0..12 {
            let agrees = stream >> place & 1 == 1;
            detector.push(agrees);
            probability *= if agrees { p0 } else { 1.0 - p0 };
        }
        mean += probability * detector.e_process();
    }
    assert!((mean - 1.0).abs() < 1e-9, "{mean}");
}

/// Labels until the alarm, at most `most`.
fn run_length(seed: u64, most: u64, agreement: impl Fn(u64) -> f64) -> u64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut detector = Detector::new(0.9, &[0.5, 1.0, 2.0, 4.0], 1000.0);
    for n in 0..most {
        detector.push(rng.random::<f64>() < agreement(n));
        if detector.alarmed() {
            return n + 1;
        }
    }
    most
}

#[test]
fn a_fall_to_80_percent_is_noticed_within_60_labels_and_false_alarms_are_a_thousand_apart() {
    let mut delays: Vec<u64> = (0..400)
        .filter_map(|seed| {
            let at = run_length(seed, 5000, |n| if n < 1000 { 0.93 } else { 0.80 });
            (at > 1000).then(|| at - 1000)
        })
        .collect();
    delays.sort_unstable();
    assert!(delays[delays.len() / 2] <= 60, "median {}", delays[delays.len() / 2]);
    // At the null's very boundary; runs are cut at 8000, which only shortens the mean.
    let lengths: u64 = (0..200).map(|seed| run_length(seed + 9_000, 8000, |_| 0.9)).sum();
    assert!(lengths / 200 >= 1000, "average run length {}", lengths / 200);
}

#[test]
fn a_million_labels_neither_overflow_nor_vanish() {
    let mut detector = Detector::new(0.9, &[0.5, 4.0], 1e300);
    for n in 0..1_000_000_u32 {
        detector.push(n < 500_000);
    }
    assert!(detector.e_sr().is_finite() && detector.e_sr() > 1e100);
    let restored = Detector::from_state(0.9, &[0.5, 4.0], 1e300, &detector.state());
    assert_eq!(restored, detector);
}

#[test]
fn a_reservoir_keeps_heavy_items_and_repeats_itself() {
    let weights: Vec<f64> = (0..100).map(|at| if at < 10 { 50.0 } else { 1.0 }).collect();
    let kept = sampling::a_res(&weights, 20, 7);
    assert_eq!(kept, sampling::a_res(&weights, 20, 7));
    assert!(kept.len() == 20 && kept.iter().filter(|at| **at < 10).count() >= 8, "{kept:?}");
    assert_eq!(
        sampling::neyman(&[5, 1000], &[0.5, 0.5], 100, 20),
        [5, 95],
        "what is full gives to the others"
    );
}
