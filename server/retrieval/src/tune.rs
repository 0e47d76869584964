//! Choosing settings on the validation split, with one budget for every system: so many trainings for either kind of
//! towers, and as many ways of asking as it has; item-kNN gets as many settings as towers get looks in all.

use crate::baselines::{ItemKnn, KnnSettings, Neighbours};
use crate::evaluate::{Fusion, Scheme, Scorer, Vectors, rank};
use crate::logs::{Logs, Split};
use crate::metrics::{hits, ranks};
use crate::model::Model;
use crate::towers::Settings;
use crate::train::{Flow, Progress, Trainer};
use crate::{Result, RetrievalError};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Passes without a better validation after which a training ends: among 2,000 users 14 more or fewer are chance.
const PATIENCE: usize = 4;
/// Neighbours kept of an item.
const MOST_NEIGHBOURS: usize = 200;

/// How much may be tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Trainings of each kind of towers.
    pub trainings: usize,
    /// Ways of asking a trained model.
    pub asks: usize,
    /// Passes of a training at most.
    pub epochs: usize,
    /// The k of the recall that decides.
    pub k: usize,
    /// Seed of the draw of settings and of training.
    pub seed: u64,
}

/// One setting, and its recall on the validation split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The system.
    pub system: String,
    /// The setting.
    pub settings: serde_json::Value,
    /// Users whose held-out item was found.
    pub hits: usize,
    /// Users.
    pub n: usize,
}

/// Where trials are measured.
pub struct Bench<'l> {
    /// The logs.
    pub logs: &'l Logs,
    /// What is learned from and held out.
    pub split: &'l Split,
    /// Users measured.
    pub users: Vec<usize>,
    /// The budget.
    pub budget: Budget,
}

/// The winner of a kind of towers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// How it is trained, its passes included.
    pub settings: Settings,
    /// How it is asked.
    pub fusion: Fusion,
}

/// Hears what is being done; may end it.
pub type Tell<'t> = dyn FnMut(&str, Option<Progress>) -> Flow + 't;

impl Bench<'_> {
    fn look(&self, scorer: &dyn Scorer) -> Result<usize> {
        let lists = rank(scorer, self.split, &self.users, self.budget.k)?;
        let lists: Vec<Vec<u32>> =
            lists.into_iter().map(|list| list.into_iter().map(|it| it.0).collect()).collect();
        let targets: Vec<u32> = self.users.iter().filter_map(|user| self.split.target[*user]).collect();
        Ok(hits(&ranks(&lists, &targets), self.budget.k))
    }

    fn trial(&self, system: &str, settings: serde_json::Value, hits: usize) -> Trial {
        Trial { system: system.into(), settings, hits, n: self.users.len() }
    }

    /// Item-kNN: as many settings as towers have looks in all.
    ///
    /// # Errors
    /// Told to stop.
    pub fn knn(&self, trials: &mut Vec<Trial>, tell: &mut Tell<'_>) -> Result<KnnSettings> {
        let mut grid = Vec::new();
        for shrink in [0.0, 5.0, 20.0, 100.0] {
            for neighbours in [20, 50, 100, MOST_NEIGHBOURS] {
                for window in [1, 2, 3, 5, 10, 30, 1000] {
                    grid.push(KnnSettings { neighbours, shrink, window });
                }
            }
        }
        let mut drawn = draw(grid, self.budget.trainings * self.budget.asks, self.budget.seed);
        drawn.sort_by(|a, b| a.shrink.total_cmp(&b.shrink));
        let mut best: Option<(usize, KnnSettings)> = None;
        let mut neighbours: Option<(f32, Neighbours)> = None;
        for settings in drawn {
            go_on(tell("item-kNN", None))?;
            if neighbours.as_ref().is_none_or(|(shrink, _)| *shrink < settings.shrink) {
                let found =
                    Neighbours::new(self.split, self.logs.items.len(), settings.shrink, MOST_NEIGHBOURS);
                neighbours = Some((settings.shrink, found));
            }
            let Some((_, neighbours)) = &neighbours else { continue };
            let found = self.look(&ItemKnn { neighbours, settings, split: self.split })?;
            trials.push(self.trial("item-kNN", json!(settings), found));
            if best.is_none_or(|(most, _)| found > most) {
                best = Some((found, settings));
            }
        }
        best.map(|(_, settings)| settings).ok_or_else(nothing)
    }

    /// Two or three towers. Both kinds are trained with the same drawn settings.
    ///
    /// # Errors
    /// Of training; told to stop.
    pub fn towers(&self, tags: bool, trials: &mut Vec<Trial>, tell: &mut Tell<'_>) -> Result<Chosen> {
        let name = system(tags);
        let asks = self.asks(tags);
        let mut best: Option<(usize, Chosen)> = None;
        let trainings = self.trainings(tags);
        let count = trainings.len();
        for (number, settings) in trainings.into_iter().enumerate() {
            let label = format!("{name}, training {} of {count}", number + 1);
            let (model, epochs) = self.train(settings, asks[0], &label, tell)?;
            let vectors = Vectors::new(&model, self.logs, self.split)?;
            for fusion in &asks {
                let found = self.look(&vectors.with_titles(*fusion))?;
                let settings = Settings { epochs, ..settings };
                trials.push(self.trial(name, json!({"train": settings, "ask": fusion}), found));
                if best.is_none_or(|(most, _)| found > most) {
                    best = Some((found, Chosen { settings, fusion: *fusion }));
                }
            }
        }
        best.map(|(_, chosen)| chosen).ok_or_else(nothing)
    }

    /// Trains until the validation gets no better, and gives the model and the passes of its best moment.
    fn train(
        &self,
        settings: Settings,
        ask: Fusion,
        label: &str,
        tell: &mut Tell<'_>,
    ) -> Result<(Model, usize)> {
        let (trainer, mut model) = Trainer::new(self.logs, self.split, settings)?;
        let (mut best, mut epoch): (Option<(usize, usize, Model)>, usize) = (None, 0);
        let mut asked_to_stop = false;
        let done = trainer.run(&mut model, None, &mut |progress, model| {
            if tell(label, Some(progress)) == Flow::Stop {
                asked_to_stop = true;
                return Ok(Flow::Stop);
            }
            if !progress.epoch_ends {
                return Ok(Flow::Go);
            }
            epoch += 1;
            let found = self.look(&Vectors::new(model, self.logs, self.split)?.with_titles(ask))?;
            if best.as_ref().is_none_or(|(most, _, _)| found > *most) {
                best = Some((found, epoch, model.clone()));
            }
            let since = best.as_ref().map_or(0, |(_, at, _)| epoch - at);
            Ok(if since >= PATIENCE { Flow::Stop } else { Flow::Go })
        });
        match done {
            Err(RetrievalError::Stopped(_)) if !asked_to_stop => {}
            other => other?,
        }
        best.map(|(_, epochs, model)| (model, epochs)).ok_or_else(nothing)
    }

    /// The settings that are trained, the default one first.
    fn trainings(&self, tags: bool) -> Vec<Settings> {
        let base =
            Settings { tags, epochs: self.budget.epochs, seed: self.budget.seed, ..Settings::default() };
        let mut grid = Vec::new();
        for temperature in [0.1, 0.2, 0.3] {
            for rate in [0.001, 0.003] {
                for popularity in [0.0, 0.5] {
                    for embed in [32, 64] {
                        for anonymous in [0.0, 0.9] {
                            grid.push(Settings { temperature, rate, popularity, embed, anonymous, ..base });
                        }
                    }
                }
            }
        }
        grid.retain(|settings| *settings != base);
        let mut all = vec![base];
        all.extend(draw(grid, self.budget.trainings.saturating_sub(1), self.budget.seed));
        all
    }

    /// The ways to ask, a plain one first.
    fn asks(&self, tags: bool) -> Vec<Fusion> {
        let plain = Fusion {
            beta: if tags { 0.5 } else { 1.0 },
            scheme: Scheme::Mean,
            tags: 3,
            window: Settings::default().history,
        };
        let windows = [1, 2, 3, 5, 10, 20, 30, 50, 100, 1000];
        let mut grid = Vec::new();
        if tags {
            for beta in [0.1, 0.3, 0.5, 0.7, 0.9, 1.0] {
                for scheme in [Scheme::Mean, Scheme::Max] {
                    for tags in [1, 2, 3, 5, 10] {
                        grid.extend([3, 10, 30, 1000].map(|window| Fusion { beta, scheme, tags, window }));
                    }
                }
            }
        } else {
            grid.extend(windows.map(|window| Fusion { window, ..plain }));
        }
        grid.retain(|fusion| *fusion != plain);
        let mut all = vec![plain];
        all.extend(draw(grid, self.budget.asks.saturating_sub(1), self.budget.seed));
        all
    }
}

/// The name of a kind of towers.
#[must_use]
pub fn system(tags: bool) -> &'static str {
    if tags { "three towers" } else { "two towers" }
}

/// `count` of the grid by seed.
fn draw<T>(mut grid: Vec<T>, count: usize, seed: u64) -> Vec<T> {
    grid.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    grid.truncate(count);
    grid
}

pub(crate) fn go_on(flow: Flow) -> Result<()> {
    if flow == Flow::Stop { Err(RetrievalError::Stopped(0)) } else { Ok(()) }
}

fn nothing() -> RetrievalError {
    RetrievalError::Empty("nothing was tried: the budget is empty or no user can be validated".into())
}
