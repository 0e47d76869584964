//! Rubrics: a version is stored once and never changes; the current one is what new samples are reviewed by.

mod read;

use crate::error::{OrInternal, internal};
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Capability, DiffLine, Error, Rubric, RubricPreview, RubricVersion, VoidedCertificate,
};
use concord_store::{certificates, events, rubrics};
use similar::{ChangeTag, TextDiff};
use sqlx::{PgConnection, PgPool};

/// The rubric use cases.
#[derive(Debug, Clone)]
pub struct RubricsService {
    pool: PgPool,
}

impl RubricsService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl api::Rubrics for RubricsService {
    async fn versions(&self, actor: &Actor, task: Option<&str>) -> Result<Vec<RubricVersion>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        rubrics::versions(&mut conn, task).await.or_internal()
    }

    async fn publish(&self, actor: &Actor, rubric: Rubric) -> Result<RubricVersion> {
        actor.require(Capability::ManageProgramme)?;
        rubric.check()?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let before = rubrics::current(&mut tx, &rubric.task).await.or_internal()?;
        let known = rubrics::versions(&mut tx, Some(&rubric.task)).await.or_internal()?;
        check_version(&known, &rubric)?;
        if known.iter().all(|known| known.rubric.version != rubric.version) {
            rubrics::add(&mut tx, &rubric).await.or_internal()?;
        }
        rubrics::make_current(&mut tx, &rubric.task, &rubric.version).await.or_internal()?;
        if before.is_some_and(|before| major(&before) != major(&rubric)) {
            let now = major(&rubric).and_then(|major| i32::try_from(major).ok()).unwrap_or(0);
            for id in certificates::void_other_majors(&mut tx, &rubric.task, now).await.or_internal()? {
                let detail = serde_json::json!({"why": "the rubric has a new major version"});
                events::append(&mut tx, Some(actor.account), "certificate_void", &id.to_string(), &detail)
                    .await
                    .or_internal()?;
            }
        }
        let detail = serde_json::json!({"version": rubric.version});
        events::append(&mut tx, Some(actor.account), "rubric", &rubric.task, &detail).await.or_internal()?;
        let stored = rubrics::versions(&mut tx, Some(&rubric.task)).await.or_internal()?;
        tx.commit().await.or_internal()?;
        stored
            .into_iter()
            .find(|it| it.rubric.version == rubric.version)
            .ok_or_else(|| Error::not_found("rubric"))
    }

    async fn publish_toml(&self, actor: &Actor, text: &str) -> Result<RubricVersion> {
        actor.require(Capability::ManageProgramme)?;
        self.publish(actor, read::read(text)?).await
    }

    async fn preview(&self, actor: &Actor, text: &str) -> Result<RubricPreview> {
        actor.require(Capability::ManageProgramme)?;
        let rubric = read::read(text)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let known = rubrics::versions(&mut conn, Some(&rubric.task)).await.or_internal()?;
        check_version(&known, &rubric)?;
        let current = known.iter().find(|it| it.current).map(|it| &it.rubric);
        let kind = match current {
            _ if known.iter().any(|it| it.rubric == rubric) => "same",
            None => "first",
            Some(current) if major(current) == major(&rubric) => "minor",
            Some(_) => "major",
        };
        let ends = current.is_some_and(|current| major(current) != major(&rubric));
        let voids = if ends { voided(&mut conn, &rubric).await? } else { Vec::new() };
        let samples = rubrics::movable(&mut conn, &rubric.task, &rubric.version).await.or_internal()?;
        let before = current.map(written).transpose()?.unwrap_or_default();
        Ok(RubricPreview {
            current: current.map(|it| it.version.clone()),
            kind: kind.to_owned(),
            breaks: current.map(|current| current.breaks(&rubric)).unwrap_or_default(),
            voids,
            samples: u64::try_from(samples).unwrap_or(0),
            diff: lines(&before, &written(&rubric)?),
            rubric,
        })
    }

    async fn diff(&self, actor: &Actor, task: &str, from: &str, to: &str) -> Result<Vec<DiffLine>> {
        let (from, to) = (self.toml(actor, task, from).await?, self.toml(actor, task, to).await?);
        Ok(lines(&from, &to))
    }

    async fn toml(&self, actor: &Actor, task: &str, version: &str) -> Result<String> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let known = rubrics::versions(&mut conn, Some(task)).await.or_internal()?;
        let found = known.into_iter().find(|known| known.rubric.version == version);
        let found = found.ok_or_else(|| Error::not_found("rubric version"))?;
        written(&found.rubric)
    }
}

fn major(rubric: &Rubric) -> Option<u32> {
    rubric.numbers().map(|(major, _)| major)
}

/// Whether this version may be stored: a stored one never changes, and what makes labels incomparable counts the
/// first number up.
fn check_version(known: &[RubricVersion], rubric: &Rubric) -> Result<()> {
    match known.iter().find(|known| known.rubric.version == rubric.version) {
        Some(same) if same.rubric == *rubric => return Ok(()),
        Some(_) => {
            return Err(Error::conflict(
                "version_taken",
                "this version is stored with other words: count the version up, its second number if labels stay comparable",
            ));
        }
        None => {}
    }
    // The newest of the same major version: versions come newest first.
    let before = known.iter().find(|known| major(&known.rubric) == major(rubric));
    let breaks = before.map(|before| before.rubric.breaks(rubric)).unwrap_or_default();
    if breaks.is_empty() {
        return Ok(());
    }
    let next = major(rubric).unwrap_or(0) + 1;
    let why = format!("{}: labels would not stay comparable, so it is version {next}.0", breaks.join(", "));
    Err(Error::invalid("version", why))
}

fn written(rubric: &Rubric) -> Result<String> {
    toml::to_string_pretty(rubric).map_err(|error| internal(&error))
}

/// The certificates of its task that end when this rubric is published.
async fn voided(conn: &mut PgConnection, rubric: &Rubric) -> Result<Vec<VoidedCertificate>> {
    let now = major(rubric).and_then(|major| i32::try_from(major).ok());
    let all = certificates::list(conn, Some(&rubric.task), None, None).await.or_internal()?;
    Ok(all
        .into_iter()
        .filter(|(of, it)| Some(*of) != now && matches!(&*it.shown.status, "live" | "suspended"))
        .map(|(_, it)| VoidedCertificate {
            id: it.id,
            criterion: it.criterion,
            verdict: it.shown.verdict,
            judge: it.judge,
        })
        .collect())
}

fn lines(from: &str, to: &str) -> Vec<DiffLine> {
    let compared = TextDiff::from_lines(from, to);
    compared
        .iter_all_changes()
        .map(|change| DiffLine {
            sign: match change.tag() {
                ChangeTag::Equal => '=',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            },
            text: change.value().trim_end_matches('\n').to_owned(),
        })
        .collect()
}
