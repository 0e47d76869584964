//! Composition: the one place that knows every part. Opens the models lazily, brings the database to this
//! version, and hands out the use cases and the worker.

use crate::cluster::Database;
use crate::config::Config;
use anyhow::{Context, Result};
use concord_domain::ports::{Embedder, LanguageModel, ModelError};
use concord_domain::{AccountId, Actor, Role, api};
use concord_inference::{Catalogue, OpenAiConfig, OpenAiModel, Options, open_embedder, open_language_model};
use concord_service::accounts::AccountsService;
use concord_service::adjudications::AdjudicationsService;
use concord_service::audit::AuditService;
use concord_service::exports::ExportsService;
use concord_service::generation::Generator;
use concord_service::items::ItemIndex;
use concord_service::jobs::Worker;
use concord_service::judges::JudgesService;
use concord_service::judging::Judge;
use concord_service::models::Models;
use concord_service::programmes::ProgrammesService;
use concord_service::review::ReviewService;
use concord_service::rubrics::RubricsService;
use concord_service::samples::SamplesService;
use concord_service::webhooks::{Courier, Reach, WebhooksService};
use concord_service::work::WorkService;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;
use std::time::Duration;

/// Everything, put together.
pub struct Concord {
    /// The database.
    pub pool: PgPool,
    /// What pages and handlers call.
    pub use_cases: api::UseCases,
    /// Accounts, with what only commands may do.
    pub accounts: Arc<AccountsService>,
    /// The models.
    pub models: Models,
    /// Exports, with what only commands may do.
    pub exports: ExportsService,
    /// Runs jobs.
    pub worker: Worker,
}

/// Connects, migrates, stores the shipped rubrics, and composes. No weights are read.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn compose(config: &Config, database: &Database) -> Result<Concord> {
    let pool = connect(config, database).await?;
    prepare(&pool, config).await?;
    let models = open_models(config)?;
    let accounts = Arc::new(AccountsService::new(pool.clone()));
    let exports = ExportsService::new(pool.clone(), config.data.join("exports"));
    let reach = if config.webhook_private { Reach::Anywhere } else { Reach::Public };
    let use_cases = api::UseCases {
        accounts: accounts.clone(),
        review: Arc::new(ReviewService::new(pool.clone())),
        programmes: Arc::new(ProgrammesService::new(pool.clone())),
        samples: Arc::new(SamplesService::new(pool.clone())),
        work: Arc::new(WorkService::new(pool.clone(), models.clone())),
        audit: Arc::new(AuditService::new(pool.clone())),
        webhooks: Arc::new(WebhooksService::new(pool.clone(), reach)),
        judges: Arc::new(JudgesService::new(pool.clone(), models.clone())),
        adjudications: Arc::new(AdjudicationsService::new(pool.clone())),
        rubrics: Arc::new(RubricsService::new(pool.clone())),
        exports: Arc::new(exports.clone()),
    };
    let generator =
        Generator { pool: pool.clone(), models: models.clone(), index: Arc::new(ItemIndex::default()) };
    let judge = Judge { pool: pool.clone(), models: models.clone() };
    let courier = Courier { pool: pool.clone(), reach };
    let worker = Worker { pool: pool.clone(), generator, judge, exports: exports.clone(), courier };
    Ok(Concord { pool, use_cases, accounts, models, exports, worker })
}

/// A pool of connections.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn connect(config: &Config, database: &Database) -> Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(config.db_pool)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(database.options())
        .await
        .with_context(|| format!("cannot connect to the database ({})", database.describe()))
}

/// The schema at this version, the salt of the halves while it may still be set, the shipped rubrics.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn prepare(pool: &PgPool, config: &Config) -> Result<()> {
    concord_store::MIGRATOR.run(pool).await.context("the schema could not be brought up to date")?;
    let mut tx = pool.begin().await?;
    concord_store::settings::set_split_salt(&mut tx, config.split_salt.as_deref()).await?;
    for rubric in concord_pipeline::rubrics::shipped()? {
        concord_store::rubrics::add(&mut tx, &rubric).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Who acts when a command does: an account of its own, so that the log says so.
#[must_use]
pub fn operator() -> Actor {
    Actor { account: AccountId(uuid::Uuid::nil()), email: "operator@localhost".into(), role: Role::Admin }
}

fn open_models(config: &Config) -> Result<Models> {
    let catalogue = Catalogue::read(&config.models.join("catalogue.toml"))?;
    let open = |name: &str| -> Result<Arc<dyn LanguageModel>, ModelError> {
        match &config.llm {
            Some(remote) => {
                let key = remote.api_key.as_ref().map(|key| key.expose().to_owned());
                Ok(Arc::new(OpenAiModel::new(&OpenAiConfig::new(
                    &remote.url,
                    key,
                    &remote.model,
                    &remote.model,
                ))?))
            }
            None => open_language_model(&catalogue, name, &config.weights, Options::default()),
        }
    };
    let generator = open(&config.generator_model)?;
    // One copy of the weights where both are the same model.
    let judge = if config.judge_model == config.generator_model || config.llm.is_some() {
        Arc::clone(&generator)
    } else {
        open(&config.judge_model)?
    };
    let embedder: Arc<dyn Embedder> =
        open_embedder(&catalogue, &config.embedder_model, &config.weights, Options::default())?;
    Ok(Models { generator, judge, embedder })
}
