//! A curriculum (paper §2): sub-tasks with what each needs and how hard it is, and the order in which rows of them are
//! learnt. Data, not code: `models/curriculum.toml` has the paper's sixteen, and anybody's file may have others.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The paper's sub-tasks.
pub const SHIPPED: &str = include_str!("../../../models/curriculum.toml");

/// Sub-tasks in no order.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curriculum {
    /// Share of each later sub-task's rows that repeats earlier ones, so that they are not forgotten.
    #[serde(default)]
    pub replay: f64,
    /// The sub-tasks.
    #[serde(rename = "subtask")]
    pub subtasks: Vec<Subtask>,
}

/// A sub-task.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subtask {
    /// What rows call it.
    pub name: String,
    /// What it is.
    pub about: String,
    /// How hard; among sub-tasks whose needs are met the easiest comes first.
    pub difficulty: f64,
    /// Sub-tasks that come before it.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Rows of it at most; 0: all.
    #[serde(default)]
    pub most: usize,
}

/// Why a curriculum or its rows cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurriculumError {
    /// The file is no curriculum.
    #[error("the curriculum: {0}")]
    File(String),
    /// A name twice.
    #[error("sub-task {0} is there twice")]
    Twice(String),
    /// A sub-task needs one that is not there.
    #[error("sub-task {0} needs {1}, which is not there")]
    Missing(String, String),
    /// Sub-tasks that need each other.
    #[error("sub-tasks need each other: {0}")]
    Circle(String),
    /// A row of no sub-task.
    #[error("line {0}: {1} is no sub-task of the curriculum")]
    Unknown(usize, String),
}

/// What an arrangement holds of a sub-task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// The sub-task.
    pub name: String,
    /// Rows there were.
    pub given: usize,
    /// Rows of it.
    pub rows: usize,
    /// Rows of earlier sub-tasks among them.
    pub replayed: usize,
}

impl Curriculum {
    /// Reads a curriculum and checks it.
    ///
    /// # Errors
    /// [`CurriculumError`].
    pub fn read(text: &str) -> Result<Self, CurriculumError> {
        let read: Self = toml::from_str(text).map_err(|error| CurriculumError::File(error.to_string()))?;
        if !(0.0..=1.0).contains(&read.replay) {
            return Err(CurriculumError::File("replay is between 0 and 1".into()));
        }
        if read.subtasks.iter().any(|it| !it.difficulty.is_finite()) {
            return Err(CurriculumError::File("a difficulty is no number".into()));
        }
        read.order()?;
        Ok(read)
    }

    /// This one and those of another file, which may need these.
    ///
    /// # Errors
    /// [`CurriculumError`].
    pub fn with(mut self, more: Self) -> Result<Self, CurriculumError> {
        self.subtasks.extend(more.subtasks);
        self.replay = if more.replay > 0.0 { more.replay } else { self.replay };
        self.order()?;
        Ok(self)
    }

    /// The sub-tasks in the order in which they are learnt: each after what it needs; among those that may come next
    /// the easiest, then by name.
    ///
    /// # Errors
    /// [`CurriculumError`].
    pub fn order(&self) -> Result<Vec<&Subtask>, CurriculumError> {
        let mut names = BTreeSet::new();
        for it in &self.subtasks {
            if !names.insert(it.name.as_str()) {
                return Err(CurriculumError::Twice(it.name.clone()));
            }
        }
        for it in &self.subtasks {
            if let Some(missing) = it.needs.iter().find(|need| !names.contains(need.as_str())) {
                return Err(CurriculumError::Missing(it.name.clone(), missing.clone()));
            }
        }
        let mut left: Vec<&Subtask> = self.subtasks.iter().collect();
        left.sort_by(|a, b| a.difficulty.total_cmp(&b.difficulty).then(a.name.cmp(&b.name)));
        let mut order: Vec<&Subtask> = Vec::with_capacity(left.len());
        let mut done: BTreeSet<&str> = BTreeSet::new();
        while !left.is_empty() {
            let next = left.iter().position(|it| it.needs.iter().all(|need| done.contains(need.as_str())));
            let Some(next) = next else {
                let names: Vec<&str> = left.iter().map(|it| it.name.as_str()).collect();
                return Err(CurriculumError::Circle(names.join(", ")));
            };
            let it = left.remove(next);
            done.insert(&it.name);
            order.push(it);
        }
        Ok(order)
    }

    /// The order of learning of rows, given the sub-task of each: places among them, sub-task by sub-task, shuffled
    /// within one; a later one repeats some rows of earlier ones. The same seed gives the same order.
    ///
    /// # Errors
    /// [`CurriculumError::Unknown`] naming the line.
    pub fn arrange(&self, of: &[String], seed: u64) -> Result<(Vec<usize>, Vec<Stage>), CurriculumError> {
        let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, name) in of.iter().enumerate() {
            if !self.subtasks.iter().any(|it| it.name == *name) {
                return Err(CurriculumError::Unknown(at + 1, name.clone()));
            }
            rows.entry(name).or_default().push(at);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut order, mut stages, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for it in self.order()? {
            let Some(mut mine) = rows.remove(it.name.as_str()) else { continue };
            let given = mine.len();
            mine.shuffle(&mut rng);
            if it.most > 0 {
                mine.truncate(it.most);
            }
            let replayed = self.repeats(mine.len(), &before);
            let mut stage = mine.clone();
            stage.extend((0..replayed).map(|_| before[rng.random_range(0..before.len())]));
            stage.shuffle(&mut rng);
            stages.push(Stage { name: it.name.clone(), given, rows: stage.len(), replayed });
            order.extend(stage);
            before.extend(mine);
        }
        Ok((order, stages))
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of rows"
    )]
    fn repeats(&self, rows: usize, before: &[usize]) -> usize {
        if before.is_empty() { 0 } else { (rows as f64 * self.replay).round() as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(order: &[&Subtask], name: &str) -> usize {
        order.iter().position(|it| it.name == name).unwrap_or_else(|| panic!("{name}"))
    }

    #[test]
    fn the_papers_sixteen_come_after_what_they_need_and_the_easy_ones_first() {
        let all = Curriculum::read(SHIPPED).unwrap();
        let order = all.order().unwrap();
        assert_eq!(order.len(), 16);
        for (at, it) in order.iter().enumerate() {
            assert!(it.needs.iter().all(|need| place(&order, need) < at), "{}", it.name);
        }
        assert!(place(&order, "query_category") < place(&order, "what_to_buy"));
        assert!(place(&order, "what_to_buy") < place(&order, "recommendation"));
    }

    #[test]
    fn own_sub_tasks_are_added_and_may_need_the_shipped_ones() {
        let own = "replay = 0.1\n[[subtask]]\nname = 'gift'\nabout = 'x'\ndifficulty = 0.1\nneeds = ['recommendation']\n";
        // By itself it needs what is not there.
        let alone: Curriculum = toml::from_str(own).unwrap();
        assert!(matches!(alone.order(), Err(CurriculumError::Missing(..))));
        let all = Curriculum::read(SHIPPED).unwrap().with(alone).unwrap();
        let order = all.order().unwrap();
        assert!(place(&order, "gift") > place(&order, "recommendation"), "however easy it is");
        assert!((all.replay - 0.1).abs() < 1e-12);
    }

    #[test]
    fn circles_and_doubles_are_named() {
        let text = |needs: &str| {
            format!(
                "[[subtask]]\nname = 'a'\nabout = ''\ndifficulty = 1\nneeds = ['b']\n[[subtask]]\nname = 'b'\nabout = ''\ndifficulty = 1\nneeds = {needs}\n"
            )
        };
        assert_eq!(Curriculum::read(&text("['a']")), Err(CurriculumError::Circle("a, b".into())));
        assert!(Curriculum::read(&text("[]")).is_ok());
        let twice = text("[]").replace("'b'\nabout", "'a'\nabout");
        assert_eq!(Curriculum::read(&twice), Err(CurriculumError::Twice("a".into())));
    }

    #[test]
    fn rows_are_learnt_sub_task_by_sub_task_and_earlier_ones_again() {
        let mut all = Curriculum::read(
            "replay = 0.5\n[[subtask]]\nname = 'hard'\nabout = ''\ndifficulty = 2\nneeds = ['easy']\n[[subtask]]\nname = 'easy'\nabout = ''\ndifficulty = 1\nmost = 6\n",
        )
        .unwrap();
        let of: Vec<String> = (0..20).map(|n| if n % 2 == 0 { "hard" } else { "easy" }.to_owned()).collect();
        let (order, stages) = all.arrange(&of, 1).unwrap();
        assert_eq!(all.arrange(&of, 1).unwrap().0, order, "the seed decides");
        assert_ne!(all.arrange(&of, 2).unwrap().0, order);
        let stage = |name: &str, given, rows, replayed| Stage { name: name.into(), given, rows, replayed };
        assert_eq!(stages, [stage("easy", 10, 6, 0), stage("hard", 10, 15, 5)]);
        assert!(order[..6].iter().all(|at| of[*at] == "easy"));
        let again: Vec<&usize> = order[6..].iter().filter(|at| of[**at] == "easy").collect();
        assert_eq!(again.len(), 5);
        assert!(again.iter().all(|at| order[..6].contains(at)), "only what has been learnt is repeated");
        all.replay = 0.0;
        assert_eq!(all.arrange(&of, 1).unwrap().0.len(), 16);
        assert_eq!(
            all.arrange(&["easy".into(), "nothing".into()], 1),
            Err(CurriculumError::Unknown(2, "nothing".into()))
        );
    }
}
