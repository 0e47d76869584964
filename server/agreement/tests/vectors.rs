//! Published values and values recomputed against reference implementations, one test a vector. Where they come
//! from stands beside each in `vectors.json`.

use concord_agreement::aggregate::{Prior, Rating, Shape, crowdlab, dawid_skene, mace, majority, one_coin};
use concord_agreement::pass_rate::{self, JudgeRates, Stratum};
use concord_agreement::*;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).expect("vectors")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn near(found: f64, expected: f64, within: f64, what: &str) {
    assert!((found - expected).abs() <= within, "{what}: {found}, expected {expected}");
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

/// Ratings by rater and item as items' counts, categories being the values in order.
fn units(rows: &[Vec<Option<f64>>], values: &[f64]) -> Vec<Unit> {
    (0..rows[0].len())
        .map(|item| {
            let count = |value: &f64| rows.iter().filter(|row| row[item] == Some(*value)).count();
            Unit {
                counts: values.iter().map(|value| u32::try_from(count(value)).unwrap()).collect(),
                times: 1,
            }
        })
        .collect()
}

fn canonical() -> (Vec<Unit>, [f64; 5], Value) {
    let vector = vectors()["krippendorff_4x12"].clone();
    let rows: Vec<Vec<Option<f64>>> =
        list(&vector["data"]).iter().map(|row| list(row).iter().map(Value::as_f64).collect()).collect();
    let values = [1.0, 2.0, 3.0, 4.0, 5.0];
    (units(&rows, &values), values, vector)
}

#[test]
fn newcombe_s_proportions() {
    // Newcombe 1998, Statistics in Medicine 17:857: k, n, exact, Wilson.
    for (k, n, exact, score) in [
        (81, 263, (0.2527, 0.3676), (0.2553, 0.3662)),
        (15, 148, (0.0578, 0.1617), (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1684), (0.0, 0.1611)),
        (1, 29, (0.0009, 0.1776), (0.0061, 0.1718)),
        (8, 10, (0.4439, 0.9748), (0.4902, 0.9433)),
    ] {
        let (low, high) = clopper_pearson(k, n, 0.95).unwrap();
        near(low, exact.0, 6e-5, "exact low");
        near(high, exact.1, 6e-5, "exact high");
        let (low, high) = wilson(k, n, 0.95).unwrap();
        near(low, score.0, 6e-5, "Wilson low");
        near(high, score.1, 6e-5, "Wilson high");
    }
    assert_eq!((wilson(0, 0, 0.95), clopper_pearson(0, 0, 0.95)), (None, None));
}

#[test]
fn two_by_two_tables() {
    for table in list(&vectors()["two_by_two"]) {
        let n = |name: &str| number(&table[name]);
        let cells = Cells {
            tp: n("judgepass_humanpass"),
            fp: n("judgepass_humanfail"),
            fn_: n("judgefail_humanpass"),
            tn: n("judgefail_humanfail"),
        };
        let found = kappa(&cells.table());
        near(found.estimate.est.unwrap(), n("kappa"), 1e-9, "kappa");
        near(found.estimate.se.unwrap(), n("se"), 1e-9, "se");
        near(found.se_null.unwrap(), n("se_null"), 1e-9, "null se");
        near(cells.kappa().unwrap(), n("kappa"), 1e-9, "kappa of cells");
        near(cells.accuracy().unwrap(), n("po"), 1e-9, "po");
        near(cells.ac1().unwrap(), n("ac1"), 1e-9, "AC1");
        near(ac1_of(&cells).est.unwrap(), n("ac1"), 1e-9, "AC1 with its error");
        near(cells.mcc().unwrap(), n("mcc"), 1e-9, "MCC");
        near(cells.recall().unwrap(), n("recall"), 1e-9, "recall");
        near(cells.specificity().unwrap(), n("specificity"), 1e-9, "specificity");
        near(cells.balanced_accuracy().unwrap(), n("balanced_accuracy"), 1e-9, "balanced accuracy");
    }
}

#[test]
fn weighted_kappa_of_an_ordered_table() {
    let vector = &vectors()["weighted_kappa_4x4"];
    let table: Vec<Vec<f64>> = list(&vector["table"]).iter().map(numbers).collect();
    for (name, weights) in [
        ("unweighted", KappaWeights::Identity),
        ("linear", KappaWeights::Linear),
        ("quadratic", KappaWeights::Quadratic),
    ] {
        let found = weighted_kappa(&table, weights).estimate;
        near(found.est.unwrap(), number(&vector[name][0]), 1e-9, name);
        near(found.se.unwrap(), number(&vector[name][1]), 1e-9, name);
    }
}

#[test]
fn krippendorff_s_four_observers() {
    let (units, values, vector) = canonical();
    for (name, metric) in [
        ("nominal", Metric::Nominal),
        ("ordinal", Metric::Ordinal),
        ("interval", Metric::Interval),
        ("ratio", Metric::Ratio),
    ] {
        let found = krippendorff(&units, &values, metric, 500, 1);
        near(found.est.unwrap(), number(&vector["alpha"][name]), 1e-9, name);
        let (low, high) = found.ci.unwrap();
        assert!(low < found.est.unwrap() && high > low, "{found:?}");
    }
    for (name, weights, kind) in [
        ("gwet_ac1", Weights::Identity, Kind::Ac),
        ("fleiss_gen", Weights::Identity, Kind::Fleiss),
        ("ac2_quadratic", Weights::Quadratic, Kind::Ac),
        ("ac2_ordinal", Weights::Ordinal, Kind::Ac),
    ] {
        let found = gwet(&units, weights, kind);
        near(found.estimate.est.unwrap(), number(&vector[name]["est"]), 1e-9, name);
        near(found.estimate.se.unwrap(), number(&vector[name]["se"]), 1e-9, name);
        if let Some(ci) = vector[name].get("ci95_t") {
            near(found.estimate.ci.unwrap().0, number(&ci[0]), 1e-6, name);
            near(found.estimate.ci.unwrap().1, number(&ci[1]), 1e-6, name);
        }
    }
    let uniform = gwet(&units, Weights::Identity, Kind::BrennanPrediger);
    near(uniform.estimate.est.unwrap(), 0.772_727, 1e-6, "Brennan-Prediger");
}

#[test]
fn krippendorff_s_two_observers() {
    for (name, field) in [("krippendorff_2x10_binary", "0"), ("krippendorff_2x12_nominal", "a")] {
        let vector = &vectors()[name];
        let code = |value: &Value| value.as_f64();
        let letters = |row: &Value| row.as_str().map(|row| row.bytes().map(|b| Some(f64::from(b))).collect());
        let rows: Vec<Vec<Option<f64>>> = list(&vector["data"])
            .iter()
            .map(|row| letters(row).unwrap_or_else(|| list(row).iter().map(code).collect()))
            .collect();
        let values: Vec<f64> =
            if field == "a" { (b'a'..=b'e').map(f64::from).collect() } else { vec![0.0, 1.0] };
        let found = krippendorff(&units(&rows, &values), &values, Metric::Nominal, 10, 1);
        near(found.est.unwrap(), number(&vector["alpha_nominal"]), 1e-9, name);
    }
}

#[test]
fn fleiss_tables() {
    for name in ["fleiss_14x10_wikipedia", "fleiss_1971_30x6"] {
        let vector = &vectors()[name];
        let units: Vec<Unit> = list(&vector["counts"])
            .iter()
            .map(|row| Unit {
                counts: list(row).iter().map(|n| u32::try_from(whole(n)).unwrap()).collect(),
                times: 1,
            })
            .collect();
        near(fleiss_kappa(&units).unwrap(), number(&vector["kappa"]), 1e-9, name);
    }
}

#[test]
fn clopper_pearson_bounds_and_least_numbers_of_labels() {
    for it in list(&vectors()["clopper_pearson_upper"]) {
        let found = cp_upper(whole(&it["k"]), whole(&it["n"]), number(&it["delta"]));
        near(found, number(&it["upper"]), 1e-9, "upper bound");
    }
    for it in list(&vectors()["min_n_for_k_errors"]) {
        let found = certificate::min_n_for(whole(&it["k"]), number(&it["alpha"]), number(&it["delta"]));
        assert_eq!(found, Some(whole(&it["n"])), "{it}");
    }
}

#[test]
fn a_published_calibration_set_is_certified_at_its_threshold() {
    let vector = &vectors()["fst_gpt4turbo_calib"];
    // What is known of the 500 rows: the counts at .92 and .91.
    let (n, k) = (354_u32, 43_u32);
    let mut rows: Vec<(f64, bool)> = (0..n).map(|at| (0.92 + f64::from(at) / 10_000.0, at < k)).collect();
    rows.extend([(0.91, true), (0.91, true), (0.91, false), (0.91, false)]);
    let grid = [0.92, 0.91, 0.90];
    let found = certificate::choose_threshold(&rows, &grid, &[0], 0.15, 0.10);
    let at = found.certified.expect("certified");
    assert_eq!((at.threshold, at.n, at.errors), (number(&vector["expect_lambda"]), 354, 43));
    near(at.p_value, number(&vector["at"]["p"]), 1e-9, "p");
    near(at.ucb, number(&vector["at"]["ucb"]), 1e-9, "upper bound");
    let stopped = found.tried[0];
    assert_eq!((stopped.threshold, stopped.n, stopped.errors), (Some(0.91), 358, 45));
    near(stopped.p_value, number(&vector["stop"]["p"]), 1e-4, "p at the stop");
}

#[test]
fn the_alternative_annotator_test() {
    let vector = &vectors()["alt_test_60"];
    let labels = |name: &str| -> Vec<f64> {
        vector[name].as_str().unwrap().bytes().map(|b| f64::from(b - b'0')).collect()
    };
    let (a, b, c, judge) = (labels("a"), labels("b"), labels("c"), labels("llm"));
    let items: Vec<AltTestItem> = (0..60)
        .map(|at| AltTestItem { judge: judge[at], humans: vec![(0, a[at]), (1, b[at]), (2, c[at])] })
        .collect();
    for eps in ["0.1", "0.15", "0.2"] {
        let found = alt_test(&items, Score::Accuracy, eps.parse().unwrap(), 0.05);
        for (human, p) in found.humans.iter().zip(numbers(&vector["p"][eps])) {
            near(human.p.unwrap(), p, 6e-9, eps);
        }
        near(found.winning_rate.unwrap(), number(&vector["winning_rate"][eps]), 1e-9, eps);
        near(found.advantage.unwrap(), number(&vector["avg_advantage_prob"]), 1e-9, eps);
        let wins: Vec<f64> = found.humans.iter().map(|human| human.human_wins.unwrap()).collect();
        for (found, expected) in wins.iter().zip(numbers(&vector["rho_h"])) {
            near(*found, expected, 1e-6, "rho_h");
        }
        assert_eq!(found.pass, Some(eps != "0.1"));
    }
    let short = alt_test(&items[..29], Score::Accuracy, 0.2, 0.05);
    assert!(short.pass.is_none() && short.why.is_some(), "29 items test nobody");
}

fn binary() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let vector = &vectors()["ppi_binary"];
    let (mut y, mut f) = (Vec::new(), Vec::new());
    for (name, human, judge) in [("11", 1.0, 1.0), ("10", 1.0, 0.0), ("01", 0.0, 1.0), ("00", 0.0, 0.0)] {
        for _ in 0..whole(&vector["labelled_cells_human_judge"][name]) {
            y.push(human);
            f.push(judge);
        }
    }
    let (n, passes) = (whole(&vector["unlabelled_N"]), whole(&vector["unlabelled_judge_pass"]));
    let pool = (0..n).map(|at| if at < passes { 1.0 } else { 0.0 }).collect();
    (y, f, pool)
}

fn same_estimate(found: &Estimate, expected: &Value, within: f64) {
    near(found.est.unwrap(), number(&expected["est"]), within, found.method);
    if let Some(ci) = expected.get("ci") {
        near(found.ci.unwrap().0, number(&ci[0]), within, found.method);
        near(found.ci.unwrap().1, number(&ci[1]), within, found.method);
    }
}

#[test]
fn prediction_powered_inference() {
    let vector = &vectors()["ppi_binary"];
    let (y, f, pool) = binary();
    same_estimate(&pass_rate::ppi(&y, &f, &pool, 0.0), &vector["classical"], 1e-6);
    same_estimate(&pass_rate::ppi(&y, &f, &pool, 1.0), &vector["ppi_lambda1"], 1e-6);
    near(
        pass_rate::best_lambda(&y, &f, &pool),
        number(&vector["ppi_plus_plus(ppi_py)"]["lambda"]),
        1e-6,
        "lambda",
    );
    same_estimate(&pass_rate::ppi_plus_plus(&y, &f, &pool), &vector["ppi_plus_plus(ppi_py)"], 1e-6);
    let cells = Cells { tp: 118.0, fp: 31.0, fn_: 6.0, tn: 45.0 };
    // The labelled are part of the population.
    let found = post_stratified((1480 + 149, 520 + 51), &cells, (149, 51));
    near(found.est.unwrap(), number(&vector["poststratified"]["est"]), 2e-4, "post-stratified");
    let rates = &vector["rogan_gladen_lee2025"];
    let judge =
        JudgeRates { specificity: (number(&rates["q0"]), 76), sensitivity: (number(&rates["q1"]), 124) };
    same_estimate(&pass_rate::rogan_gladen(0.74, 2000, judge), rates, 1e-3);
}

#[test]
fn rogan_and_gladen_s_example_and_refusal() {
    let v = &vectors()["rogan_gladen_readme"];
    let judge = JudgeRates {
        specificity: (number(&v["q0"]), whole(&v["m0"])),
        sensitivity: (number(&v["q1"]), whole(&v["m1"])),
    };
    let found = pass_rate::rogan_gladen(number(&v["p"]), whole(&v["n"]), judge);
    near(found.est.unwrap(), number(&v["theta"]), 1e-9, "theta");
    near(found.ci.unwrap().0, number(&v["ci95"][0]), 1e-6, "low");
    near(found.ci.unwrap().1, number(&v["ci95"][1]), 1e-6, "high");
    let blind = JudgeRates { specificity: (0.117, 35), sensitivity: (0.978, 65) };
    assert!(
        pass_rate::rogan_gladen(0.9, 1000, blind).est.is_none(),
        "a judge that catches nothing corrects nothing"
    );
}

#[test]
fn stratified_and_active_inference() {
    let v = &vectors();
    let (y, f, g) = (
        list(&v["strat_ppi_doc"]["y"]),
        numbers(&v["strat_ppi_doc"]["f"]),
        numbers(&v["strat_ppi_doc"]["g"]),
    );
    let stratum = |of: f64| {
        let at = (0..y.len()).filter(|at| g[*at] == of);
        let (labelled, rest): (Vec<usize>, Vec<usize>) = at.partition(|at| y[*at].is_number());
        Stratum {
            labels: labelled.iter().map(|at| number(&y[*at])).collect(),
            predicted: labelled.iter().map(|at| f[*at]).collect(),
            unlabelled: rest.iter().map(|at| f[*at]).collect(),
        }
    };
    same_estimate(&pass_rate::stratified_ppi(&[stratum(0.0), stratum(1.0)]), &v["strat_ppi_doc"], 1e-6);
    let labels: Vec<Option<f64>> = list(&v["asi_doc"]["y"]).iter().map(Value::as_f64).collect();
    let found = pass_rate::active(&labels, &numbers(&v["asi_doc"]["f"]), &numbers(&v["asi_doc"]["pi"]));
    same_estimate(&found, &v["asi_doc"], 1e-6);
}

#[test]
fn two_phase_designs_are_corrected() {
    let v = &vectors()["two_phase"];
    let n = |name: &str| whole(&v[name]);
    let found = pass_rate::two_phase(
        (n("N_pass"), n("N_fail")),
        (n("n_pass"), n("k_pass")),
        (n("n_fail"), n("k_fail")),
    );
    near(found.pass_rate.est.unwrap(), number(&v["theta"]), 1e-9, "theta");
    near(found.pass_rate.se.unwrap(), number(&v["se"]), 1e-9, "se");
    for (estimate, name) in [(found.sensitivity, "sens"), (found.specificity, "spec")] {
        near(estimate.est.unwrap(), number(&v[name]), 1e-9, name);
        let ci = &v[format!("{name}_ci")];
        near(estimate.ci.unwrap().0, number(&ci[0]), 1e-6, name);
        near(estimate.ci.unwrap().1, number(&ci[1]), 1e-6, name);
    }
}

#[test]
fn drift_detectors_on_the_stream() {
    let v = &vectors()["drift_stream"];
    let agree: Vec<bool> = numbers(&v["agree"]).iter().map(|x| *x > 0.0).collect();
    let mut detector = drift::Detector::new(number(&v["p0"]), &numbers(&v["lambdas"]), 1000.0);
    let expected = |name: &str| numbers(&v[name]);
    let (sr, cusum, process) = (expected("e_sr_mean"), expected("e_cusum_mean"), expected("e_process_mean"));
    for (at, agrees) in agree.iter().enumerate() {
        detector.push(*agrees);
        near(detector.e_sr(), sr[at], 1e-5, "e-SR");
        near(detector.e_cusum(), cusum[at], 1e-5, "e-CUSUM");
        near(detector.e_process(), process[at], 1e-5, "e-process");
    }
    assert!(detector.alarmed() && detector.warned() && detector.n() == 16);
    let same = drift::Detector::from_state(0.9, &numbers(&v["lambdas"]), 1000.0, &detector.state());
    assert_eq!(same, detector);
    for (found, expected) in drift::cusum(&agree, 0.9, 0.75).iter().zip(expected("bernoulli_cusum_p1_.75")) {
        near(*found, expected, 1e-6, "CUSUM");
    }
    let display = expected("page_hinkley_on_loss(delta=.005,alpha=.9999)");
    for (found, expected) in drift::page_hinkley(&agree, 0.005, 0.9999).iter().zip(display) {
        near(*found, expected, 1e-6, "Page-Hinkley");
    }
}

#[test]
fn confidence_sequences() {
    for it in list(&vectors()["beta_binomial_cs_95"]) {
        let (low, high) = confidence_sequence::beta_binomial(whole(&it["S"]), whole(&it["t"]), 0.05);
        near(low, number(&it["lo"]), 1e-6, "low");
        near(high, number(&it["hi"]), 1e-6, "high");
    }
    let v = &vectors()["hedged_betting_cs_95"];
    let x = numbers(&v["x20"]);
    let long: Vec<f64> = x.iter().copied().cycle().take(200).collect();
    let check = |values: &[f64], table: &Value| {
        for (t, ends) in table.as_object().unwrap() {
            let (low, high) = confidence_sequence::betting(&values[..t.parse().unwrap()], 0.05, 1000);
            near(low, number(&ends[0]), 1.01e-3, t);
            near(high, number(&ends[1]), 1.01e-3, t);
        }
    };
    check(&x, &v["t"]);
    check(&long, &v["x20_tiled_x10"]);
}

#[test]
fn allocation_and_active_probabilities() {
    let v = &vectors()["neyman"];
    let sizes: Vec<u64> = list(&v["N"]).iter().map(whole).collect();
    let found = sampling::neyman(&sizes, &numbers(&v["sigma"]), whole(&v["n"]), 0);
    assert_eq!(found, list(&v["largest_remainder"]).iter().map(whole).collect::<Vec<_>>());
    let v = &vectors()["active_sampling"];
    let found = sampling::active_probs(&numbers(&v["f"]), number(&v["n_b"]), 0.2);
    for (found, expected) in found.iter().zip(numbers(&v["tau0.2"])) {
        near(*found, expected, 1e-6, "pi");
    }
    near(sampling::cost_optimal_rate(1.0, 100.0, 0.069, 0.129), 0.107, 5e-4, "rate");
}

fn toy() -> (Vec<Rating>, Shape) {
    let rows = vectors()["crowdkit_toy"]["rows"].as_str().unwrap().to_owned();
    let mut ratings = Vec::new();
    for row in rows.split(';') {
        let (rater, labels) = row.trim().split_once(':').unwrap();
        for label in labels.split_whitespace() {
            let bytes = label.as_bytes();
            ratings.push(Rating {
                item: usize::from(bytes[1] - b'1'),
                rater: usize::from(rater.as_bytes()[1] - b'1'),
                label: usize::from(bytes[2] == b'y'),
            });
        }
    }
    (ratings, Shape { items: 5, raters: 5, categories: 2 })
}

#[test]
fn aggregation_of_the_toy_data() {
    let (ratings, shape) = toy();
    let v = &vectors()["crowdkit_toy"];
    assert_eq!(majority(&ratings, shape), [None, Some(1), Some(0), Some(1), Some(0)]);
    let coin = one_coin(&ratings, shape, Prior::NONE, &[]);
    for (rater, skill) in numbers(&v["onecoin_skill"]).into_iter().enumerate() {
        near(coin.skill(rater), skill, 1e-3, "skill");
    }
    let gold: Vec<usize> = list(&v["gold"]).iter().map(|it| usize::from(it == "yes")).collect();
    let best = |posterior: &[Vec<f64>]| -> Vec<usize> {
        posterior.iter().map(|p| usize::from(p[1] > 0.5)).collect()
    };
    assert_eq!(best(&dawid_skene(&ratings, shape, Prior::NONE, &[]).posterior), gold);
    let found = mace(&ratings, shape, 10, 50, 1);
    assert_eq!(best(&found.posterior), gold);
    for (item, p) in numbers(&v["mace_vb_p_yes"]).into_iter().enumerate() {
        near(found.posterior[item][1], p, 0.02, "MACE");
    }
}

#[test]
fn mace_does_not_depend_on_the_order_of_rows() {
    let (mut ratings, shape) = toy();
    let found = mace(&ratings, shape, 10, 50, 1);
    ratings.reverse();
    assert_eq!(mace(&ratings, shape, 10, 50, 1), found);
}

#[test]
fn crowdlab_of_eight_items() {
    let v = &vectors()["crowdlab_8x3"];
    let mut ratings = Vec::new();
    for (item, row) in list(&v["labels"]).iter().enumerate() {
        for (rater, label) in list(row).iter().enumerate() {
            if let Some(label) = label.as_u64() {
                ratings.push(Rating { item, rater, label: usize::try_from(label).unwrap() });
            }
        }
    }
    let p: Vec<Vec<f64>> = numbers(&v["p1"]).into_iter().map(|p| vec![1.0 - p, p]).collect();
    let found = crowdlab(&ratings, &p, Shape { items: 8, raters: 3, categories: 2 }).unwrap();
    near(found.model_weight, number(&v["model_weight"]), 1e-6, "model");
    for (found, expected) in found.rater_weights.iter().zip(numbers(&v["annotator_weights"])) {
        near(*found, expected, 1e-6, "rater");
    }
    for (found, expected) in found.quality.iter().zip(numbers(&v["quality_of_consensus"])) {
        near(found.unwrap(), expected, 1e-6, "quality");
    }
}

#[test]
fn calibration_of_twelve_points() {
    let v = &vectors()["calibration_12"];
    let scores = numbers(&v["s"]);
    let passes: Vec<bool> = numbers(&v["y"]).iter().map(|y| *y > 0.0).collect();
    for (found, expected) in calibration::isotonic(&scores, &passes).iter().zip(numbers(&v["isotonic"])) {
        near(*found, expected, 1e-9, "isotonic");
    }
    let fit = calibration::platt(&scores, &passes).unwrap();
    near(fit.a, number(&v["platt_f=score_p=1/(1+exp(A f+B))"]["A"]), 1e-5, "A");
    near(fit.b, number(&v["platt_f=score_p=1/(1+exp(A f+B))"]["B"]), 1e-5, "B");
    near(calibration::temperature(&scores, &passes).unwrap(), number(&v["temperature"]), 1e-5, "temperature");
    near(calibration::ece(&scores, &passes, 5).value.unwrap(), number(&v["ece5_equal_width"]), 1e-9, "ECE");
    near(calibration::brier(&scores, &passes).unwrap(), number(&v["brier"]), 1e-9, "Brier");
    near(calibration::prior_shift(0.5, 0.5, 0.85), 0.85, 1e-9, "prior shift");
    near(calibration::prior_shift(0.8, 0.5, 0.85), 0.957_746, 1e-6, "prior shift");
}

#[test]
fn mcnemar_s_test() {
    let v = &vectors()["mcnemar"];
    let (b, c) = (whole(&v["b"]), whole(&v["c"]));
    near(mcnemar::exact_p(b, c).unwrap(), number(&v["exact_p"]), 1e-9, "p");
    near(mcnemar::e_value(b, c), number(&v["beta_binomial_e_value"]), 1e-6, "e");
    assert_eq!(mcnemar::exact_p(0, 0), None);
}

/// Dawid and Skene 1979, table 1: 45 patients; observer 1 three times, then observers 2 to 5.
const ANAESTHETIST: &str = "
    1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343 1111111 2223212
    1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222 1111111
    1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111
    2322222 1211111 2222222";

#[test]
fn dawid_and_skene_s_anaesthetist_data() {
    let mut ratings = Vec::new();
    for (item, row) in ANAESTHETIST.split_whitespace().enumerate() {
        for (place, label) in row.bytes().enumerate() {
            ratings.push(Rating { item, rater: place.saturating_sub(2), label: usize::from(label - b'1') });
        }
    }
    let shape = Shape { items: 45, raters: 5, categories: 4 };
    let v = &vectors()["dawid_skene_1979"];
    let found = dawid_skene(&ratings, shape, Prior::NONE, &[]);
    assert!(found.converged && !found.switched);
    assert!(found.loglik.windows(2).all(|two| two[1] >= two[0] - 1e-9), "the likelihood never falls");
    near(*found.loglik.last().unwrap(), number(&v["loglik"]), 1e-4, "ln likelihood");
    for (found, expected) in found.priors.iter().zip(numbers(&v["priors"])) {
        near(*found, expected, 1e-4, "prior");
    }
    for (row, expected) in found.confusion[0].iter().zip(list(&v["obs1"])) {
        for (found, expected) in row.iter().zip(numbers(expected)) {
            near(*found, expected, 1e-4, "observer 1");
        }
    }
    for (item, expected) in list(&v["argmax"]).iter().enumerate() {
        let best =
            (0..4).max_by(|a, b| found.posterior[item][*a].total_cmp(&found.posterior[item][*b])).unwrap();
        assert_eq!(best + 1, usize::try_from(whole(expected)).unwrap(), "patient {}", item + 1);
    }
    for (item, expected) in v["uncertain"].as_object().unwrap() {
        let item: usize = item.parse().unwrap();
        for (found, expected) in found.posterior[item - 1].iter().zip(numbers(expected)) {
            near(*found, expected, 1e-3, "uncertain patient");
        }
    }
    let pinned = dawid_skene(&ratings, shape, Prior::WEAK, &[(6, 1)]);
    assert_eq!(pinned.posterior[6], [0.0, 1.0, 0.0, 0.0], "gold is gold");
}
