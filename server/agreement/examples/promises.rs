//! The promises of certificates and detectors by simulation at full size, with fixed seeds:
//! `cargo run --release -p concord-agreement --example promises`, or `make bench agreement`.

use concord_agreement::certificate::{choose_threshold, choose_threshold_weighted, grid_from, starts_at};
use concord_agreement::cp_upper;
use concord_agreement::drift::Detector;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

const RUNS: u64 = 2000;
const EPS: f64 = 0.10;
const DELTA: f64 = 0.10;

/// A world: how often the judge is wrong at a place 0..1 of its confidence, and labels to certify with.
struct World {
    name: &'static str,
    labels: usize,
    error: fn(f64) -> f64,
}

const WORLDS: [World; 4] = [
    World { name: "flat, 89.9 % right (the hardest null)", labels: 500, error: |_| 0.101 },
    World {
        name: "overconfident: 80 % right in the top tenth, 92 % below",
        labels: 500,
        error: |place| if place > 0.9 { 0.2 } else { 0.08 },
    },
    World {
        name: "two regimes: 97 % right in the top 40 %, 75 % below",
        labels: 500,
        error: |place| if place > 0.6 { 0.03 } else { 0.25 },
    },
    World {
        name: "smooth: from 96 % right at the top down to 48 %",
        labels: 1500,
        error: |place| 0.04 + 0.48 * (1.0 - place),
    },
];

fn main() {
    let began = Instant::now();
    certificates();
    detectors();
    println!("{:.0} s", began.elapsed().as_secs_f64());
}

/// (place of the confidence, error) of labels drawn from a world.
fn draw(world: &World, seed: u64) -> Vec<(f64, bool)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..world.labels)
        .map(|_| {
            let place = rng.random::<f64>();
            (place, rng.random::<f64>() < (world.error)(place))
        })
        .collect()
}

/// The true error rate above a threshold.
fn true_error(world: &World, threshold: f64) -> f64 {
    let steps = 2000;
    let at = |step: i32| threshold + (1.0 - threshold) * (f64::from(step) + 0.5) / f64::from(steps);
    (0..steps).map(|step| (world.error)(at(step))).sum::<f64>() / f64::from(steps)
}

#[derive(Default)]
struct Count {
    wrong: u32,
    found: u32,
    covered: f64,
}

impl Count {
    fn add(&mut self, world: &World, threshold: Option<f64>) {
        let Some(threshold) = threshold else { return };
        self.found += 1;
        self.covered += 1.0 - threshold;
        self.wrong += u32::from(true_error(world, threshold) > EPS);
    }

    fn shown(&self) -> String {
        let share = |n: f64| n / f64::from(u32::try_from(RUNS).unwrap_or(u32::MAX));
        format!(
            "{:.3} / {:.3} / {:.3}",
            share(f64::from(self.wrong)),
            share(self.covered),
            share(f64::from(self.found))
        )
    }
}

fn certificates() {
    println!("certificates, ε = δ = .10, {RUNS} runs: wrong / mean coverage / found");
    for world in &WORLDS {
        let (mut naive, mut uncorrected, mut ours, mut weighted) =
            (Count::default(), Count::default(), Count::default(), Count::default());
        for run in 0..RUNS {
            let pool: Vec<f64> = draw(world, run + 1_000_000).into_iter().map(|it| it.0).collect();
            let grid = grid_from(&pool);
            let starts = starts_at(&grid, &pool, &[0.1, 0.2, 0.4, 0.7]);
            let rows = draw(world, run);
            naive.add(world, picked(&rows, &grid, |n, errors| share(errors, n) <= EPS));
            uncorrected.add(world, picked(&rows, &grid, |n, errors| cp_upper(errors, n, DELTA) <= EPS));
            let found = choose_threshold(&rows, &grid, &starts, EPS, DELTA);
            ours.add(world, found.certified.map(|it| it.threshold));
            // Every second label drawn with half the chance.
            let mut rng = ChaCha8Rng::seed_from_u64(run);
            let drawn: Vec<(f64, bool, f64)> = rows
                .iter()
                .enumerate()
                .map(|(at, row)| (row.0, row.1, if at % 2 == 0 { 1.0 } else { 0.5 }))
                .filter(|row| rng.random::<f64>() < row.2)
                .collect();
            let found = choose_threshold_weighted(&drawn, &grid, &starts, EPS, DELTA);
            weighted.add(world, found.certified.map(|it| it.threshold));
        }
        println!("  {}, n = {}", world.name, world.labels);
        println!("    multi-start fixed sequence (used)  {}", ours.shown());
        println!("    the same by betting, unequal π     {}", weighted.shown());
        println!("    best threshold that looks right    {}", naive.shown());
        println!("    Clopper-Pearson, uncorrected       {}", uncorrected.shown());
    }
}

/// The loosest threshold at which a rule holds, as one would pick it by looking at all of them.
fn picked(rows: &[(f64, bool)], grid: &[f64], holds: impl Fn(u64, u64) -> bool) -> Option<f64> {
    let counted = |threshold: f64| {
        let inside = rows.iter().filter(|row| row.0 >= threshold);
        let (n, errors) = inside.fold((0, 0), |(n, errors), row| (n + 1, errors + u64::from(row.1)));
        n > 0 && holds(n, errors)
    };
    grid.iter().rev().copied().find(|threshold| counted(*threshold))
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn share(k: u64, n: u64) -> f64 {
    k as f64 / n.max(1) as f64
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

fn detectors() {
    println!("e-SR detector at p0 = .9, alarm line 1000, {RUNS} runs each");
    for after in [0.85, 0.80, 0.70] {
        let lengths: Vec<u64> =
            (0..RUNS).map(|seed| run_length(seed, 6000, |n| if n < 1000 { 0.93 } else { after })).collect();
        let early = lengths.iter().filter(|n| **n <= 1000).count() as u64;
        let mut delays: Vec<u64> = lengths.iter().filter(|n| **n > 1000).map(|n| n - 1000).collect();
        delays.sort_unstable();
        println!(
            "  .93 → {after:.2} after 1000 labels: median {} labels to the alarm, 90 % within {}; rang in the good 1000: {:.3}",
            delays[delays.len() / 2],
            delays[delays.len() * 9 / 10],
            share(early, RUNS)
        );
    }
    let lengths: Vec<u64> = (0..RUNS).map(|seed| run_length(seed + 9_000, 20_000, |_| 0.9)).collect();
    let mean = share(lengths.iter().sum(), RUNS);
    let by_1000 = lengths.iter().filter(|n| **n <= 1000).count() as u64;
    println!(
        "  at .90 for good (the null's boundary): mean run {mean:.0} labels, cut at 20,000; rang by 1000: {:.3}",
        share(by_1000, RUNS)
    );
}
