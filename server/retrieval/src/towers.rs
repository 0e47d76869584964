//! The towers' shapes and their forward pass, in plain operations: the fused ones of candle have no backward step.
//!
//! Item: embeddings of id, category, brand, price and sales → network → h_v. User: id embedding and, for each kind of
//! behaviour, the mean of its items' h_v → network → h_u. Tag: mean of its words' embeddings → network → h_t. All
//! three are unit vectors, so that y_col = h_u·h_v and y_sem = h_t·h_v share a scale and can be fused by β.

use crate::features::Codes;
use crate::params::{Leaf, Param, Params};
use crate::{Result, RetrievalError};
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// What the paper leaves open, each a setting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// With the tag tower, L_tag and L_cate; without them it is the two-tower baseline.
    pub tags: bool,
    /// Width of embeddings.
    pub embed: usize,
    /// Width of the networks' hidden layer.
    pub hidden: usize,
    /// Width of h_u, h_v and h_t.
    pub width: usize,
    /// Newest behaviours that the user tower reads.
    pub history: usize,
    /// Examples a step.
    pub batch: usize,
    /// Sampled negatives a step.
    pub negatives: usize,
    /// Negatives are drawn by (occurrences + 1) to this power: 0 evenly, 1 by popularity.
    pub popularity: f64,
    /// Temperature of the softmax.
    pub temperature: f64,
    /// α: weight of L_tag; L_cate has 1 − α.
    pub alpha: f64,
    /// Learning rate of Adam.
    pub rate: f64,
    /// Decoupled weight decay.
    pub decay: f64,
    /// Share of examples whose user goes without their own embedding, which else learns by heart what they met.
    pub anonymous: f64,
    /// Passes over the users.
    pub epochs: usize,
    /// Examples of a user in one pass, drawn anew each time.
    pub per_user: usize,
    /// Seed of everything.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tags: true,
            embed: 32,
            hidden: 64,
            width: 64,
            history: 30,
            batch: 256,
            negatives: 512,
            popularity: 0.0,
            temperature: 0.2,
            alpha: 0.5,
            rate: 0.003,
            decay: 0.0,
            anonymous: 0.9,
            epochs: 10,
            per_user: 16,
            seed: 1,
        }
    }
}

impl Settings {
    /// Refuses what cannot be trained.
    ///
    /// # Errors
    /// [`RetrievalError::Setting`] naming it.
    pub fn check(&self) -> Result<()> {
        let widths = [
            ("embed", self.embed, 512),
            ("hidden", self.hidden, 4096),
            ("width", self.width, 1024),
            ("history", self.history, 1000),
            ("batch", self.batch, 16_384),
            ("negatives", self.negatives, 65_536),
            ("epochs", self.epochs, 1000),
            ("per_user", self.per_user, 10_000),
        ];
        for (name, value, limit) in widths {
            if !(1..=limit).contains(&value) {
                return Err(RetrievalError::Setting { name, why: format!("1 to {limit}") });
            }
        }
        let numbers = [
            ("temperature", self.temperature, 1e-3, 10.0),
            ("alpha", self.alpha, 0.0, 1.0),
            ("rate", self.rate, 1e-7, 1.0),
            ("decay", self.decay, 0.0, 1.0),
            ("anonymous", self.anonymous, 0.0, 1.0),
            ("popularity", self.popularity, 0.0, 1.0),
        ];
        for (name, value, low, high) in numbers {
            if !(low..=high).contains(&value) {
                return Err(RetrievalError::Setting { name, why: format!("{low} to {high}") });
            }
        }
        Ok(())
    }
}

/// A tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tower {
    /// h_u.
    User,
    /// h_v.
    Item,
    /// h_t.
    Tag,
}

impl Tower {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Item => "item",
            Self::Tag => "tag",
        }
    }
}

/// Sizes that the data decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Items.
    pub items: usize,
    /// Users.
    pub users: usize,
    /// Kinds of behaviour.
    pub kinds: usize,
    /// How features become numbers.
    pub codes: Codes,
}

impl Layout {
    /// Tables of an item: a feature that no item has would be a constant, so it has none.
    fn item_tables(&self) -> Vec<(&'static str, usize)> {
        let codes = &self.codes;
        let all = [
            ("item.id", self.items, true),
            ("item.category", codes.categories.rows(), !codes.categories.is_empty()),
            ("item.brand", codes.brands.rows(), !codes.brands.is_empty()),
            ("item.price", Codes::bucket_rows(), codes.has_prices()),
            ("item.sales", Codes::bucket_rows(), true),
        ];
        all.into_iter().filter(|(_, _, there)| *there).map(|(name, rows, _)| (name, rows)).collect()
    }
}

/// Fresh parameters.
pub(crate) fn init(settings: &Settings, layout: &Layout) -> Params {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut params = Params::default();
    let tables = layout.item_tables();
    for (name, rows) in &tables {
        params.add(Param::random(name, *rows, settings.embed, 0.1, &mut rng));
    }
    params.add(Param::random("user.id", layout.users, settings.embed, 0.01, &mut rng));
    network(&mut params, Tower::Item, settings.embed * tables.len(), settings, &mut rng);
    // A user begins as the mean of what they did: the network learns how to differ from it.
    let inputs = settings.embed + settings.width * layout.kinds;
    let [skip, ..] = network(&mut params, Tower::User, inputs, settings, &mut rng);
    let skip = &mut params.list[skip].values;
    for row in settings.embed..inputs {
        skip[row * settings.width + (row - settings.embed) % settings.width] += 1.0;
    }
    if settings.tags {
        params.add(Param::random("tag.word", layout.codes.words.rows(), settings.embed, 0.1, &mut rng));
        network(&mut params, Tower::Tag, settings.embed, settings, &mut rng);
    }
    params
}

/// skip + relu(in·first + bias)·second: a straight way and one with a bend.
fn network(
    params: &mut Params,
    tower: Tower,
    inputs: usize,
    settings: &Settings,
    rng: &mut ChaCha8Rng,
) -> [usize; 4] {
    let name = |part: &str| format!("{}.{part}", tower.name());
    let scale = |rows: usize, columns: usize| (6.0 / (rows + columns) as f32).sqrt();
    let (hidden, width) = (settings.hidden, settings.width);
    [
        params.add(Param::random(&name("skip"), inputs, width, scale(inputs, width), rng)),
        params.add(Param::random(&name("first"), inputs, hidden, scale(inputs, hidden), rng)),
        params.add(Param::new(&name("bias"), 1, hidden, vec![0.0; hidden])),
        params.add(Param::random(&name("second"), hidden, width, scale(hidden, width) * 0.1, rng)),
    ]
}

/// The parameters as one step or one inference sees them: each taken as a variable when first needed.
pub(crate) struct Pass<'p> {
    params: &'p Params,
    dtype: DType,
    pub(crate) leaves: Vec<Leaf>,
}

impl<'p> Pass<'p> {
    pub(crate) fn new(params: &'p Params, dtype: DType) -> Self {
        Self { params, dtype, leaves: Vec::new() }
    }

    fn find(&self, name: &str) -> Result<usize> {
        let found = self.params.list.iter().position(|param| param.name == name);
        found.ok_or_else(|| RetrievalError::Checkpoint(format!("it has no parameter {name}")))
    }

    fn whole(&mut self, name: &str) -> Result<Tensor> {
        let param = self.find(name)?;
        if let Some(leaf) = self.leaves.iter().find(|leaf| leaf.param == param) {
            return Ok(leaf.var.as_tensor().clone());
        }
        let leaf = self.params.leaf(param, &[], self.dtype)?;
        let tensor = leaf.var.as_tensor().clone();
        self.leaves.push(leaf);
        Ok(tensor)
    }

    /// The mean of rows of a table for each list; zeros for an empty one. The rows met become one variable.
    pub(crate) fn pooled(&mut self, table: &str, lists: &[Vec<u32>]) -> Result<Tensor> {
        let rows: BTreeSet<u32> = lists.iter().flatten().copied().collect();
        let rows: Vec<u32> = if rows.is_empty() { vec![0] } else { rows.into_iter().collect() };
        let places: HashMap<u32, u32> = (0..).zip(&rows).map(|(place, row)| (*row, place)).collect();
        let leaf = self.params.leaf(self.find(table)?, &rows, self.dtype)?;
        let lists: Vec<Vec<u32>> =
            lists.iter().map(|list| list.iter().map(|row| places[row]).collect()).collect();
        let mean = mean_of(leaf.var.as_tensor(), &lists)?;
        self.leaves.push(leaf);
        Ok(mean)
    }

    /// A tower's network, and the length of its output made one.
    pub(crate) fn network(&mut self, tower: Tower, input: &Tensor) -> Result<Tensor> {
        let name = |part: &str| format!("{}.{part}", tower.name());
        let straight = input.matmul(&self.whole(&name("skip"))?)?;
        let bent = input.matmul(&self.whole(&name("first"))?)?.broadcast_add(&self.whole(&name("bias"))?)?;
        let out = (straight + bent.relu()?.matmul(&self.whole(&name("second"))?)?)?;
        let length = (out.sqr()?.sum_keepdim(1)? + 1e-12)?.sqrt()?;
        Ok(out.broadcast_div(&length)?)
    }

    /// Whether the model has such a parameter.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.params.list.iter().any(|param| param.name == name)
    }
}

/// The mean of rows of `table` for each list of places; zeros for an empty list.
pub(crate) fn mean_of(table: &Tensor, lists: &[Vec<u32>]) -> Result<Tensor> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let mut places = Vec::with_capacity(lists.len() * longest);
    let mut weights = Vec::with_capacity(lists.len() * longest);
    for list in lists {
        let weight = 1.0 / list.len().max(1) as f64;
        places.extend(list.iter().copied().chain(std::iter::repeat_n(0, longest - list.len())));
        weights.extend((0..longest).map(|at| if at < list.len() { weight } else { 0.0 }));
    }
    let count = lists.len();
    let columns = table.dim(1)?;
    let rows = table.index_select(&Tensor::from_vec(places, count * longest, &Device::Cpu)?, 0)?;
    if longest == 1 && weights.iter().all(|weight| *weight > 0.0) {
        return Ok(rows);
    }
    let weights = Tensor::from_vec(weights, (count, 1, longest), &Device::Cpu)?.to_dtype(table.dtype())?;
    Ok(weights.matmul(&rows.reshape((count, longest, columns))?)?.squeeze(1)?)
}
