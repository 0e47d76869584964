//! The last stage: an item for a tag, and the line under it.

use super::options::Style;
use super::{Generator, HISTORY_LIMIT, Place, Subject, advance, seed, store_call, store_sample};
use crate::jobs::{JobError, Progress};
use concord_domain::ports::{EmbedKind, Generated};
use concord_domain::{ChainLink, SampleId};
use concord_pipeline::Prompt;
use concord_pipeline::explanations::{self, Explanation, ExplanationRules, Fault, Pair};
use concord_store::explanations::{self as table, NewExplanation};
use concord_store::jobs::NewJob;
use concord_store::samples::Body;
use concord_store::{batches, behaviours, generations, items, jobs, samples};
use serde_json::json;
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How warm each try is: a second one as cool as the first often writes the same again.
const TRIES: [f64; 2] = [super::TEMPERATURE, 0.7];

impl Generator {
    pub(super) async fn explanations(&self, subject: &Subject, progress: &Progress) -> Result<(), JobError> {
        let chosen = self.choose_items(subject, progress).await?;
        let model = self.models.generator.info().await?;
        let style =
            if subject.request.style && !chosen.is_empty() { Some(self.style(subject).await?) } else { None };
        let mut written = Vec::with_capacity(chosen.len());
        for (n, choice) in (0_u64..).zip(&chosen) {
            let pair = Pair { interest: &choice.interest, tag: &choice.tag, item: &choice.item };
            let ask = Ask {
                pair,
                style: style.as_ref().map(|it| it.text.as_str()),
                as_of: subject.history.as_of,
                lang: subject.lang,
            };
            written.push(
                self.explain(&ask, |turn| (2 + n) * TRIES.len() as u64 + turn, |salt| seed(subject, salt))
                    .await?,
            );
        }
        let mut tx = self.pool.begin().await?;
        if let Some(Style { prompt, output, salt, .. }) = &style {
            let version = explanations::version()?;
            store_call(&mut tx, subject, Uuid::now_v7(), "style", &version, prompt, output, *salt).await?;
        }
        for (choice, lines) in chosen.iter().zip(&written) {
            let mut sample = None;
            for try_ in &lines.tries {
                let call = Uuid::now_v7();
                let version = explanations::version()?;
                store_call(
                    &mut tx,
                    subject,
                    call,
                    "explanation",
                    &version,
                    &try_.prompt,
                    &try_.output,
                    try_.salt,
                )
                .await?;
                if let Some(fault) = &try_.fault {
                    let dropped = json!([{"text": try_.line.line, "broken": fault}]);
                    generations::set_dropped(&mut tx, call, &dropped).await?;
                    continue;
                }
                let link = |kind: &str, text: &str| ChainLink { kind: kind.into(), text: text.into() };
                let body = Body {
                    reason: Some(try_.line.detail.clone()),
                    chain: vec![
                        link("interest", &choice.interest),
                        link("tag", &choice.tag),
                        link("item", &explanations::item_line(&choice.item)),
                    ],
                    ..Body::default()
                };
                let item = Some(choice.item.id);
                let place =
                    Place { task: "explanation", call, ordinal: 0, parent: Some(choice.parent), item };
                sample = Some(store_sample(&mut tx, subject, &try_.line.line, &body, &place).await?);
            }
            let key = explanations::interest_key(choice.key());
            if let Some((kind, text)) = lines.shown.as_ref().filter(|_| !key.is_empty()) {
                let new = NewExplanation {
                    interest_key: &key,
                    lang: subject.lang,
                    item: choice.item.id,
                    interest: choice.key(),
                    tag: &choice.tag,
                    kind,
                    text,
                    sample,
                    prompt_version: &explanations::version()?,
                    model: &model,
                };
                table::put(&mut tx, &new).await?;
            }
        }
        advance(&mut tx, subject.args, "explanations", "done").await?;
        let priority = batches::priority(&mut tx, subject.args.generation).await?;
        jobs::enqueue(&mut tx, &NewJob { priority: priority + 1, ..subject.args.judge_job() }).await?;
        Ok(tx.commit().await?)
    }

    /// Asks for a line, and once more where the first breaks a rule; the item's own data stand in where both do.
    pub(crate) async fn explain(
        &self,
        ask: &Ask<'_>,
        salt: impl Fn(u64) -> u64,
        seed: impl Fn(u64) -> u64,
    ) -> Result<Lines, JobError> {
        let rules = ExplanationRules::shipped()?;
        let prompt = explanations::prompt(ask.pair, ask.style, ask.as_of, ask.lang)?;
        let mut lines = Lines { tries: Vec::new(), shown: None };
        for (turn, temperature) in (0..).zip(TRIES) {
            let salt = salt(turn);
            let output = self.ask(&prompt, seed(salt), temperature).await?;
            let line = explanations::parse(&output.text)?;
            let fault = rules.broken(line.line.trim(), ask.pair.item);
            let holds = fault.is_none();
            if holds {
                let kind = if line.related { "linked" } else { "quality" };
                lines.shown = Some((kind, line.line.trim().to_owned()));
            }
            lines.tries.push(Try { salt, prompt: prompt.clone(), output, line, fault });
            if holds {
                return Ok(lines);
            }
        }
        lines.shown = rules.quality(ask.pair.item, ask.lang).map(|text| ("catalogue", text));
        Ok(lines)
    }

    /// The best new item of each tag, tags of different interests in turn, until there are enough.
    async fn choose_items(&self, subject: &Subject, progress: &Progress) -> Result<Vec<Choice>, JobError> {
        let wanted = subject.request.explanations as usize;
        let mut conn = self.pool.acquire().await?;
        let generation = subject.args.generation;
        let found_tags = samples::of_user(&mut conn, generation, subject.args.user, "tag").await?;
        let names: HashMap<SampleId, (String, Option<String>)> =
            samples::bodies_of_user(&mut conn, generation, subject.args.user, "interest")
                .await?
                .into_iter()
                .map(|(id, text, body)| (id, (text, body.preset)))
                .collect();
        drop(conn);
        if wanted == 0 || found_tags.is_empty() {
            return Ok(Vec::new());
        }
        let index = self.index.ready(&self.pool, &*self.models.embedder, progress).await?;
        let texts = found_tags.iter().map(|(_, text, _)| text.clone()).collect();
        let vectors = self.models.embedder.embed(EmbedKind::Query, texts).await?;
        let sight = self.lens.ready(&self.pool, &*self.models.embedder, progress).await?;
        let mut conn = self.pool.acquire().await?;
        let mut taken: HashSet<i64> = acted_on(&mut conn, subject).await?;
        let mut choices = Vec::with_capacity(wanted);
        for place in in_turn(&found_tags) {
            let (tag_id, tag, parent) = &found_tags[place];
            // φ pairs a tag with the items of its category; where that has nothing new, any item may do.
            let shelf: HashSet<i64> = match sight.category(&vectors[place]) {
                Some((_, path)) => table::items_of_category(&mut conn, path).await?.into_iter().collect(),
                None => HashSet::new(),
            };
            let on_shelf =
                index.search(&vectors[place], 1, |item| shelf.contains(&item) && !taken.contains(&item));
            let hit = on_shelf.into_iter().next().or_else(|| {
                index.search(&vectors[place], 1, |item| !taken.contains(&item)).into_iter().next()
            });
            let named = parent.and_then(|id| names.get(&id));
            let (Some(hit), Some((interest, preset))) = (hit, named) else { continue };
            let Some(item) = items::essentials(&mut conn, &[hit.item]).await?.pop() else { continue };
            taken.insert(item.id);
            choices.push(Choice {
                parent: *tag_id,
                interest: interest.clone(),
                preset: preset.clone(),
                tag: tag.clone(),
                item,
            });
            if choices.len() == wanted {
                break;
            }
        }
        Ok(choices)
    }
}

/// What a line is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) pair: Pair<'a>,
    pub(crate) style: Option<&'a str>,
    pub(crate) as_of: Option<jiff::civil::Date>,
    pub(crate) lang: &'a str,
}

/// What was written, and what is shown of it: kind and text.
#[derive(Debug)]
pub(crate) struct Lines {
    tries: Vec<Try>,
    pub(crate) shown: Option<(&'static str, String)>,
}

#[derive(Debug)]
struct Try {
    salt: u64,
    prompt: Prompt,
    output: Generated,
    line: Explanation,
    fault: Option<Fault>,
}

/// A tag with the item found for it.
struct Choice {
    parent: SampleId,
    interest: String,
    preset: Option<String>,
    tag: String,
    item: concord_domain::ItemEssentials,
}

impl Choice {
    /// What the pair is filed under: the preset where the interest is one, so that users share its lines.
    fn key(&self) -> &str {
        self.preset.as_deref().unwrap_or(&self.interest)
    }
}

/// The order in which tags get items: the first of every interest, then the second of every interest, ….
fn in_turn(tags: &[(SampleId, String, Option<SampleId>)]) -> Vec<usize> {
    let mut seen: HashMap<Option<SampleId>, usize> = HashMap::new();
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(tags.len());
    for (place, (_, _, parent)) in tags.iter().enumerate() {
        let turn = seen.entry(*parent).or_default();
        order.push((*turn, place));
        *turn += 1;
    }
    order.sort_unstable();
    order.into_iter().map(|(_, place)| place).collect()
}

/// Items that are not news to this user: all they acted on, and all they saw in the past month (paper §3).
async fn acted_on(conn: &mut PgConnection, subject: &Subject) -> Result<HashSet<i64>, JobError> {
    let events = behaviours::history(conn, subject.args.user, HISTORY_LIMIT).await?;
    let mut items: HashSet<i64> =
        events.into_iter().filter_map(|event| event.item.map(|item| item.id)).collect();
    if let Some(since) = subject.month_ago() {
        let seen = behaviours::items_since(conn, subject.args.user, since).await?;
        items.extend(seen.into_iter().map(|item| item.id));
    }
    Ok(items)
}
