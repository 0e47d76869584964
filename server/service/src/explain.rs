//! The interest-item-explanation table, built offline (paper §5): φ pairs the tags that were written with items of their
//! category, and each pair of interest and item that has no line yet gets one.

use crate::generation::{Ask, Generator};
use crate::jobs::{JobError, Progress};
use concord_domain::SampleId;
use concord_domain::ports::EmbedKind;
use concord_pipeline::explanations::{self, Pair};
use concord_store::explanations::{self as table, NewExplanation, TagRow};
use concord_store::items;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Tags read at a time.
const PAGE: i64 = 200;

/// What a job that builds the table works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainArgs {
    /// Items a tag: the nearest of its category.
    pub per_tag: u32,
    /// Lines to write at most.
    pub limit: u32,
    /// Seed of decoding.
    pub seed: u64,
}

impl Generator {
    /// Fills the table up. Every line is stored as it comes, so a run that was cut off goes on with what is missing.
    ///
    /// # Errors
    /// [`JobError`]: whether to try again, and when.
    pub async fn build_table(&self, args: ExplainArgs, progress: &Progress) -> Result<u64, JobError> {
        let sight = self.lens.ready(&self.pool, &*self.models.embedder, progress).await?;
        let index = self.index.ready(&self.pool, &*self.models.embedder, progress).await?;
        let (mut after, mut written): (Option<SampleId>, u64) = (None, 0);
        loop {
            let mut conn = self.pool.acquire().await?;
            let tags = table::tags_after(&mut conn, after, PAGE).await?;
            let Some(last) = tags.last() else { return Ok(written) };
            after = Some(last.id);
            let texts = tags.iter().map(|tag| tag.text.clone()).collect();
            let vectors = self.models.embedder.embed(EmbedKind::Query, texts).await?;
            for (tag, vector) in tags.iter().zip(vectors) {
                let path = tag.category.as_deref().or_else(|| sight.category(&vector).map(|(_, path)| path));
                let Some(path) = path else { continue };
                let shelf: HashSet<i64> =
                    table::items_of_category(&mut conn, path).await?.into_iter().collect();
                let hits = index.search(&vector, args.per_tag as usize, |item| shelf.contains(&item));
                let found: Vec<i64> = hits.into_iter().map(|hit| hit.item).collect();
                let interest = tag.preset.as_deref().unwrap_or(&tag.interest);
                let key = explanations::interest_key(interest);
                if !(1..=300).contains(&key.chars().count()) {
                    continue;
                }
                for item in table::missing(&mut conn, &key, &tag.lang, &found).await? {
                    if written >= u64::from(args.limit) {
                        return Ok(written);
                    }
                    progress
                        .say(
                            i64::try_from(written).unwrap_or(i64::MAX),
                            i64::from(args.limit),
                            "writing explanations",
                        )
                        .await;
                    written += u64::from(self.explain_pair(tag, interest, &key, item, args.seed).await?);
                }
            }
        }
    }

    /// Writes and stores one line; `false` if another worker did so first, or nothing true can be said of the item.
    async fn explain_pair(
        &self,
        tag: &TagRow,
        interest: &str,
        key: &str,
        item: i64,
        seed: u64,
    ) -> Result<bool, JobError> {
        let mut conn = self.pool.acquire().await?;
        let Some(item) = items::essentials(&mut conn, &[item]).await?.pop() else { return Ok(false) };
        drop(conn);
        let ask = Ask {
            pair: Pair { interest, tag: &tag.text, item: &item },
            style: None,
            as_of: None,
            lang: &tag.lang,
        };
        let of_pair = item.id.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(seed);
        let lines = self.explain(&ask, |turn| turn, |salt| of_pair.wrapping_add(salt)).await?;
        let Some((kind, text)) = lines.shown else { return Ok(false) };
        let model = self.models.generator.info().await?;
        let new = NewExplanation {
            interest_key: key,
            lang: &tag.lang,
            item: item.id,
            interest,
            tag: &tag.text,
            kind,
            text: &text,
            sample: None,
            prompt_version: &explanations::version()?,
            model: &model,
        };
        let mut conn = self.pool.acquire().await?;
        Ok(table::put(&mut conn, &new).await?)
    }
}
