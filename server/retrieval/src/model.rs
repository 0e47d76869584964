//! A model: settings, sizes and parameters; vectors of items, users and tags; and its file.

use crate::features::ItemCodes;
use crate::logs::{Event, Item, Logs};
use crate::params::{Param, Params};
use crate::towers::{self, Layout, Pass, Settings, Tower, mean_of};
use crate::{Result, RetrievalError};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Rows that go through a tower at a time.
const CHUNK: usize = 4096;

/// Two or three towers.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The settings it was trained with.
    pub settings: Settings,
    /// Its sizes.
    pub layout: Layout,
    pub(crate) params: Params,
}

/// What a user's vector is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInput {
    /// Number of the user; one who was not there in training has no embedding of their own.
    pub user: Option<u32>,
    /// Their events, oldest first.
    pub events: Vec<Event>,
}

/// What the file says about its numbers.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    schema: String,
    settings: Settings,
    layout: Layout,
    steps: u64,
}

const SCHEMA: &str = "concord.towers/1";

impl Model {
    /// Untrained.
    ///
    /// # Errors
    /// A setting out of range.
    pub fn new(settings: Settings, layout: Layout) -> Result<Self> {
        settings.check()?;
        let params = towers::init(&settings, &layout);
        Ok(Self { settings, layout, params })
    }

    /// Steps taken in training.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.params.steps
    }

    /// Numbers learned.
    #[must_use]
    pub fn size(&self) -> usize {
        self.params.list.iter().map(|param| param.values.len()).sum()
    }

    /// h_v of every item, in order, one after another.
    ///
    /// # Errors
    /// Of arithmetic.
    pub fn items(&self, items: &[Item], counts: &[u32]) -> Result<Vec<f32>> {
        let mut out = Vec::with_capacity(items.len() * self.settings.width);
        for from in (0..items.len()).step_by(CHUNK) {
            let to = (from + CHUNK).min(items.len());
            let numbers: Vec<u32> = (from..to).map(number).collect();
            let codes: Vec<ItemCodes> =
                (from..to).map(|at| self.layout.codes.item(&items[at], counts[at])).collect();
            let mut pass = Pass::new(&self.params, DType::F32);
            let vectors = item_tower(&mut pass, &numbers, &codes.iter().collect::<Vec<_>>())?;
            out.extend(vectors.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(out)
    }

    /// h_u of these users, given every item's h_v.
    ///
    /// # Errors
    /// Of arithmetic.
    pub fn users(&self, items: &[f32], users: &[UserInput]) -> Result<Vec<f32>> {
        let table = Tensor::from_slice(
            items,
            (items.len() / self.settings.width, self.settings.width),
            &Device::Cpu,
        )?;
        let mut out = Vec::with_capacity(users.len() * self.settings.width);
        for part in users.chunks(CHUNK) {
            let ids: Vec<Vec<u32>> = part.iter().map(|it| it.user.into_iter().collect()).collect();
            let pooled =
                by_kind(part.iter().map(|it| it.events.as_slice()), self.layout.kinds, &|item| Some(item));
            let mut pass = Pass::new(&self.params, DType::F32);
            let vectors = user_tower(&mut pass, &ids, &table, &pooled)?;
            out.extend(vectors.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(out)
    }

    /// h_t of these tags; `None` for a tag without a single known word.
    ///
    /// # Errors
    /// Of arithmetic, or for a model without a tag tower.
    pub fn tags(&self, tags: &[&str]) -> Result<Vec<Option<Vec<f32>>>> {
        let words: Vec<Vec<u32>> = tags.iter().map(|tag| self.layout.codes.tag(tag)).collect();
        let mut out = Vec::with_capacity(tags.len());
        for part in words.chunks(CHUNK) {
            let mut pass = Pass::new(&self.params, DType::F32);
            let vectors = tag_tower(&mut pass, part)?.to_vec2::<f32>()?;
            out.extend(part.iter().zip(vectors).map(|(words, vector)| (!words.is_empty()).then_some(vector)));
        }
        Ok(out)
    }

    /// The file's bytes; with the moments it is a checkpoint.
    ///
    /// # Errors
    /// Of serialisation.
    pub fn to_bytes(&self, moments: bool) -> Result<Vec<u8>> {
        let head = Head {
            schema: SCHEMA.into(),
            settings: self.settings,
            layout: self.layout.clone(),
            steps: self.params.steps,
        };
        let head = serde_json::to_string(&head).map_err(|why| RetrievalError::Checkpoint(why.to_string()))?;
        let mut parts: BTreeMap<String, ([usize; 2], Vec<u8>)> = BTreeMap::new();
        for param in &self.params.list {
            let shape = [param.rows, param.columns];
            let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
            parts.insert(param.name.clone(), (shape, bytes(&param.values)));
            if moments {
                parts.insert(format!("{}#first", param.name), (shape, bytes(&param.first)));
                parts.insert(format!("{}#second", param.name), (shape, bytes(&param.second)));
            }
        }
        let views = parts.iter().map(|(name, (shape, bytes))| {
            Ok((name.clone(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).map_err(damaged)?))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        safetensors::serialize(views, Some(HashMap::from([("concord".into(), head)]))).map_err(damaged)
    }

    /// Reads a file's bytes. What is missing, misshaped or not finite is an error.
    ///
    /// # Errors
    /// [`RetrievalError::Checkpoint`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (_, meta) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let head = meta.metadata().as_ref().and_then(|it| it.get("concord"));
        let head = head.ok_or_else(|| RetrievalError::Checkpoint("it is no model of Concord".into()))?;
        let head: Head =
            serde_json::from_str(head).map_err(|why| RetrievalError::Checkpoint(why.to_string()))?;
        if head.schema != SCHEMA {
            return Err(RetrievalError::Checkpoint(format!(
                "schema {}; this version reads {SCHEMA}",
                head.schema
            )));
        }
        head.settings.check()?;
        // Sizes that the file cannot hold are not made room for.
        let rows = head.layout.items.saturating_add(head.layout.users);
        if rows.saturating_mul(head.settings.embed).saturating_mul(4) > bytes.len() || head.layout.kinds > 256
        {
            return Err(RetrievalError::Checkpoint("it says to be larger than it is".into()));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut params = towers::init(&head.settings, &head.layout);
        params.steps = head.steps;
        for param in &mut params.list {
            param.values = floats(&tensors, &param.name, param)?;
            if tensors.names().iter().any(|name| name.ends_with("#first")) {
                param.first = floats(&tensors, &format!("{}#first", param.name), param)?;
                param.second = floats(&tensors, &format!("{}#second", param.name), param)?;
            }
        }
        Ok(Self { settings: head.settings, layout: head.layout, params })
    }
}

fn floats(tensors: &SafeTensors<'_>, name: &str, param: &Param) -> Result<Vec<f32>> {
    let view = tensors.tensor(name).map_err(damaged)?;
    if view.dtype() != Dtype::F32 || view.shape() != [param.rows, param.columns] {
        return Err(RetrievalError::Checkpoint(format!("{name} has another shape than the settings say")));
    }
    let values: Vec<f32> =
        view.data().chunks_exact(4).map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(RetrievalError::Checkpoint(format!("{name} holds numbers that are not finite")));
    }
    Ok(values)
}

fn damaged(why: safetensors::SafeTensorError) -> RetrievalError {
    RetrievalError::Checkpoint(why.to_string())
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// h_v of items by number and features.
pub(crate) fn item_tower(pass: &mut Pass<'_>, numbers: &[u32], codes: &[&ItemCodes]) -> Result<Tensor> {
    let one = |value: &dyn Fn(&ItemCodes) -> u32| codes.iter().map(|it| vec![value(it)]).collect::<Vec<_>>();
    let mut parts = vec![pass.pooled("item.id", &numbers.iter().map(|it| vec![*it]).collect::<Vec<_>>())?];
    if pass.has("item.category") {
        parts.push(
            pass.pooled("item.category", &codes.iter().map(|it| it.categories.clone()).collect::<Vec<_>>())?,
        );
    }
    if pass.has("item.brand") {
        parts.push(pass.pooled("item.brand", &one(&|it| it.brand))?);
    }
    if pass.has("item.price") {
        parts.push(pass.pooled("item.price", &one(&|it| it.price))?);
    }
    parts.push(pass.pooled("item.sales", &one(&|it| it.sales))?);
    pass.network(Tower::Item, &Tensor::cat(&parts, 1)?)
}

/// h_u from ids and, for each kind, the places of its items in `table`.
pub(crate) fn user_tower(
    pass: &mut Pass<'_>,
    ids: &[Vec<u32>],
    table: &Tensor,
    kinds: &[Vec<Vec<u32>>],
) -> Result<Tensor> {
    let mut parts = vec![pass.pooled("user.id", ids)?];
    for lists in kinds {
        parts.push(mean_of(table, lists)?);
    }
    pass.network(Tower::User, &Tensor::cat(&parts, 1)?)
}

/// h_t of tags by their words.
pub(crate) fn tag_tower(pass: &mut Pass<'_>, words: &[Vec<u32>]) -> Result<Tensor> {
    let mean = pass.pooled("tag.word", words)?;
    pass.network(Tower::Tag, &mean)
}

/// For each kind, for each history, the places of its items.
pub(crate) fn by_kind<'e>(
    histories: impl Iterator<Item = &'e [Event]> + Clone,
    kinds: usize,
    place: &dyn Fn(u32) -> Option<u32>,
) -> Vec<Vec<Vec<u32>>> {
    let of_kind = |kind: usize, events: &[Event]| {
        let of = events.iter().filter(|event| usize::from(event.kind) == kind);
        of.filter_map(|event| place(event.item)).collect::<Vec<u32>>()
    };
    (0..kinds).map(|kind| histories.clone().map(|events| of_kind(kind, events)).collect()).collect()
}

/// The sizes and feature codes that these logs decide.
#[must_use]
pub fn layout(logs: &Logs, counts: &[u32]) -> Layout {
    Layout {
        items: logs.items.len(),
        users: logs.users.len(),
        kinds: logs.kinds.len(),
        codes: crate::features::Codes::new(logs, counts),
    }
}
