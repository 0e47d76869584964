//! A report card from counted patterns: every number with its interval, n and method.

use super::pattern::{JudgeCounts, Pattern, Unit, cells};
use super::tally::{CardKey, Rule};
use concord_agreement::{self as agreement, Cells, Resampled, cluster_bootstrap};
use concord_domain::{AltTest, Card, CellCounts, Estimate, Humans, Kappa, PassRates, Reference};

/// Bootstrap replicates.
const REPLICATES: usize = 2000;
/// The same data gives the same intervals.
const SEED: u64 = 20_250_722;

/// What people say on the decisions of a card.
#[derive(Debug, Default)]
pub(super) struct People {
    units: Vec<(Unit, u64)>,
    raters: u64,
}

impl People {
    /// From the patterns of the people's card.
    pub(super) fn of(patterns: &[(Pattern, i64)]) -> Self {
        let mut people = Self::default();
        for (pattern, times) in patterns {
            match pattern {
                Pattern::Unit(unit) => people.units.push((*unit, u64::try_from(*times).unwrap_or(0))),
                Pattern::Rater(_) => people.raters += 1,
                Pattern::Judge(_) => {}
            }
        }
        people
    }

    fn sum(&self, which: impl Fn(&Unit) -> bool) -> u64 {
        self.units.iter().filter(|(unit, _)| which(unit)).map(|(_, times)| times).sum()
    }

    /// Decisions with a reference.
    fn decided(&self) -> u64 {
        self.sum(|unit| unit.outcome.is_some())
    }

    /// α and AC1 among themselves, on pass and fail.
    pub(super) fn agreement(&self) -> Humans {
        let units: Vec<agreement::Unit> = self
            .units
            .iter()
            .map(|(unit, times)| agreement::Unit { counts: vec![unit.fail, unit.pass], times: *times })
            .collect();
        let alpha =
            agreement::krippendorff(&units, &[0.0, 1.0], agreement::Metric::Nominal, REPLICATES, SEED);
        let ac1 = agreement::gwet(&units, agreement::Weights::Identity, agreement::Kind::Ac);
        Humans { alpha: estimate(alpha), ac1: estimate(ac1.estimate) }
    }
}

/// A judge on a card, summed over clusters.
struct Sums {
    /// Distinct patterns that hold a decision or a verdict, and how many clusters show each.
    patterns: Vec<(JudgeCounts, u64)>,
    verdicts: [u64; 3],
    cells: [u64; 4],
    weighted: [f64; 4],
    unparsed: u64,
    /// Clusters with a decision.
    clusters: u64,
    /// No cluster holds two decisions: they are independent.
    singletons: bool,
    /// Inclusion probabilities differ.
    unequal: bool,
}

impl Sums {
    fn of(patterns: &[(Pattern, i64)]) -> Self {
        let patterns: Vec<(JudgeCounts, u64)> = patterns
            .iter()
            .filter_map(|(pattern, times)| match pattern {
                Pattern::Judge(counts) => Some((*counts, u64::try_from(*times).ok()?)),
                _ => None,
            })
            .collect();
        let mut sums = Self {
            verdicts: [0; 3],
            cells: [0; 4],
            weighted: [0.0; 4],
            unparsed: 0,
            clusters: 0,
            singletons: true,
            unequal: false,
            patterns: Vec::new(),
        };
        let mut pi = None;
        for (counts, times) in &patterns {
            for (sum, n) in sums.verdicts.iter_mut().zip(counts.verdicts) {
                *sum += u64::from(n) * times;
            }
            for (sum, n) in sums.cells.iter_mut().zip(counts.cells) {
                *sum += u64::from(n) * times;
            }
            for (sum, w) in sums.weighted.iter_mut().zip(counts.weights()) {
                *sum += w * as_f64(*times);
            }
            sums.unparsed += u64::from(counts.unparsed) * times;
            if counts.n() > 0 {
                sums.clusters += times;
                sums.singletons &= counts.n() == 1;
                sums.unequal |= counts.weighted.is_some() || pi.is_some_and(|known| Some(known) != counts.pi);
                pi = counts.pi.or(pi);
            }
        }
        sums.patterns = patterns;
        sums
    }

    fn n(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// What estimates are made of: counts, or sums of 1/π where sampling was unequal.
    fn table(&self) -> Cells {
        cells(if self.unequal { self.weighted } else { self.cells.map(as_f64) })
    }

    /// Resamples clusters and computes each statistic.
    fn resample<const S: usize>(&self, statistics: impl Fn(&Cells) -> [Option<f64>; S]) -> [Resampled; S] {
        let patterns: Vec<([f64; 4], u64)> = self
            .patterns
            .iter()
            .filter(|(counts, _)| counts.n() > 0)
            .map(|(counts, times)| {
                let sums = if self.unequal { counts.weights() } else { counts.cells.map(f64::from) };
                (sums, *times)
            })
            .collect();
        cluster_bootstrap(&patterns, |sums| statistics(&cells(*sums)), REPLICATES, SEED)
    }
}

/// Which card, and what beside its counts stands on it.
pub(super) struct Head<'a> {
    pub key: &'a CardKey,
    pub rubric: String,
    pub rule: Rule,
    pub alt_test: AltTest,
}

/// The card of a judge, without certificates and monitors.
pub(super) fn card(head: Head<'_>, judge: &[(Pattern, i64)], people: &People) -> Card {
    let sums = Sums::of(judge);
    let table = sums.table();
    let n = sums.n();
    let decided = people.decided();
    let imported = people.sum(|unit| unit.imported) > 0;
    let statistics = Statistics::of(&sums, &table);
    let counts = |c: [u64; 4]| CellCounts { tp: c[0], fp: c[1], fn_: c[2], tn: c[3] };
    let weighted = sums.weighted;
    Card {
        task: head.key.task.to_string(),
        criterion: head.key.criterion.to_string(),
        judge: head.key.judge.as_deref().unwrap_or_default().to_owned(),
        rubric: head.rubric,
        reference: Reference {
            rule: head.rule.as_str().to_owned(),
            phase: "blind".to_owned(),
            stream: "audit".to_owned(),
            n_raters: people.raters,
            n_tied: people.sum(|unit| unit.outcome.is_none()),
            blindness: if imported { "imported" } else { "enforced" }.to_owned(),
        },
        n,
        n_human_pass: sums.cells[0] + sums.cells[2],
        n_human_fail: sums.cells[1] + sums.cells[3],
        n_clusters: sums.clusters,
        n_no_verdict: decided.saturating_sub(n + sums.unparsed),
        n_unparsed: sums.unparsed,
        weighted: sums.unequal,
        cells: counts(sums.cells),
        cells_weighted: sums.unequal.then_some(CellCounts {
            tp: weighted[0],
            fp: weighted[1],
            fn_: weighted[2],
            tn: weighted[3],
        }),
        pass_rate: pass_rates(&sums, &statistics.prevalence),
        prevalence: statistics.prevalence,
        accuracy: statistics.accuracy,
        precision: statistics.precision,
        recall: statistics.recall,
        specificity: statistics.specificity,
        npv: statistics.npv,
        balanced_accuracy: statistics.balanced_accuracy,
        f1: statistics.f1,
        mcc: statistics.mcc,
        kappa: statistics.kappa,
        ac1: statistics.ac1,
        humans: people.agreement(),
        alt_test: head.alt_test,
        certificates: Vec::new(),
        drift: Vec::new(),
    }
}

struct Statistics {
    prevalence: Estimate,
    accuracy: Estimate,
    precision: Estimate,
    recall: Estimate,
    specificity: Estimate,
    npv: Estimate,
    balanced_accuracy: Estimate,
    f1: Estimate,
    mcc: Estimate,
    kappa: Kappa,
    ac1: Estimate,
}

impl Statistics {
    fn of(sums: &Sums, table: &Cells) -> Self {
        let [prevalence, accuracy, precision, recall, specificity, npv, balanced, f1, mcc, kappa, ac1] = sums
            .resample(|c| {
                [
                    c.prevalence(),
                    c.accuracy(),
                    c.precision(),
                    c.recall(),
                    c.specificity(),
                    c.npv(),
                    c.balanced_accuracy(),
                    c.f1(),
                    c.mcc(),
                    c.kappa(),
                    c.ac1(),
                ]
            });
        let [tp, fp, fn_, tn] = sums.cells;
        let n = sums.n();
        let (positives, negatives) = ((tp + fn_, "people pass"), (fp + tn, "people fail"));
        let (passed, failed) = ((tp + fp, "the judge passes"), (fn_ + tn, "the judge fails"));
        let share = |k: u64, of: (u64, &str), est, resampled| proportion(sums, k, of, est, resampled);
        let simple = !sums.unequal && sums.singletons;
        let counts = cells(sums.cells.map(as_f64));
        Self {
            prevalence: share(tp + fn_, (n, "labels beside a verdict"), table.prevalence(), prevalence),
            accuracy: share(tp + tn, (n, "labels beside a verdict"), table.accuracy(), accuracy),
            precision: share(tp, passed, table.precision(), precision),
            recall: share(tp, positives, table.recall(), recall),
            specificity: share(tn, negatives, table.specificity(), specificity),
            npv: share(tn, failed, table.npv(), npv),
            balanced_accuracy: resampled(n, table.balanced_accuracy(), balanced, || both_classes(sums)),
            f1: resampled(n, table.f1(), f1, || "0 passes by people or judge".to_owned()),
            mcc: resampled(n, table.mcc(), mcc, || "people or judge give one answer only".to_owned()),
            kappa: Kappa {
                max: table.kappa_max(),
                estimate: if simple {
                    estimate(agreement::kappa(&counts.table()).estimate)
                } else {
                    resampled(n, table.kappa(), kappa, || "people and judge give one answer only".to_owned())
                },
            },
            ac1: if simple {
                estimate(agreement::ac1_of(&counts))
            } else {
                resampled(n, table.ac1(), ac1, || "0 labels beside a verdict".to_owned())
            },
        }
    }
}

/// A share of independent decisions by Wilson; of clustered or weighted ones by resampling clusters.
fn proportion(sums: &Sums, k: u64, of: (u64, &str), est: Option<f64>, by: Resampled) -> Estimate {
    let (n, what) = of;
    if n == 0 {
        return none(
            if sums.singletons { "wilson" } else { "cluster_bootstrap" },
            0,
            format!("0 that {what}"),
        );
    }
    if sums.singletons && !sums.unequal {
        return estimate(agreement::proportion(k, n));
    }
    resampled(n, est, by, || format!("0 that {what}"))
}

fn resampled(n: u64, est: Option<f64>, by: Resampled, why: impl Fn() -> String) -> Estimate {
    let Some(est) = est else { return none("cluster_bootstrap", n, why()) };
    Estimate {
        est: Some(est),
        se: by.se,
        ci: by.ci,
        level: 0.95,
        method: "cluster_bootstrap".to_owned(),
        n,
        why: None,
    }
}

fn both_classes(sums: &Sums) -> String {
    let [tp, fp, fn_, tn] = sums.cells;
    if fp + tn == 0 {
        "0 that people fail".to_owned()
    } else if tp + fn_ == 0 {
        "0 that people pass".to_owned()
    } else {
        "not defined on these cells".to_owned()
    }
}

/// Judge alone, people alone, and the judge's corrected by the labels: post-stratified by verdict.
fn pass_rates(sums: &Sums, human: &Estimate) -> PassRates {
    let [pass, fail, _] = sums.verdicts;
    let [tp, fp, fn_, tn] = sums.cells;
    let corrected = agreement::post_stratified((pass, fail), &sums.table(), (tp + fp, fn_ + tn));
    PassRates {
        judge: estimate(agreement::proportion(pass, pass + fail)),
        human: human.clone(),
        corrected: estimate(corrected),
        method: "post_stratified".to_owned(),
    }
}

/// The arithmetic's estimate in the report's words.
pub(crate) fn estimate(of: agreement::Estimate) -> Estimate {
    Estimate {
        est: of.est,
        se: of.se,
        ci: of.ci,
        level: of.level,
        method: of.method.to_owned(),
        n: of.n,
        why: of.why,
    }
}

fn none(method: &str, n: u64, why: String) -> Estimate {
    Estimate { est: None, se: None, ci: None, level: 0.95, method: method.to_owned(), n, why: Some(why) }
}

#[expect(clippy::cast_precision_loss, reason = "counts of labels are far below 2^52")]
fn as_f64(n: u64) -> f64 {
    n as f64
}
