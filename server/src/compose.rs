//! Composition: the one place that knows every part. Opens the models lazily, brings the database to this
//! version, and hands out the use cases and the worker.

use crate::cluster::Database;
use crate::config::{Config, Vectors};
use crate::evolve::LocalTrainer;
use crate::metrics::{MeteredEmbedder, MeteredModel, Metrics};
use crate::serving::{Opener, Standing};
use anyhow::{Context, Result, bail};
use concord_domain::ports::{Embedder, LanguageModel, ModelError};
use concord_domain::{AccountId, Actor, Role, api};
use concord_inference::{Catalogue, OpenAiConfig, OpenAiModel, Options, open_embedder, open_language_model};
use concord_service::accounts::{AccountsService, Provider};
use concord_service::adjudications::AdjudicationsService;
use concord_service::audit::AuditService;
use concord_service::evolve::{EvolveService, Rounds};
use concord_service::exports::ExportsService;
use concord_service::generation::Generator;
use concord_service::items::ItemIndex;
use concord_service::jobs::Worker;
use concord_service::judges::JudgesService;
use concord_service::judging::Judge;
use concord_service::lens::Lens;
use concord_service::models::Models;
use concord_service::pipeline::PipelineService;
use concord_service::privacy::PrivacyService;
use concord_service::programmes::ProgrammesService;
use concord_service::retrieval::{Backend, Outside, PgVector, Qdrant, RecommendService};
use concord_service::review::ReviewService;
use concord_service::rubrics::RubricsService;
use concord_service::samples::SamplesService;
use concord_service::webhooks::{Courier, Reach, WebhooksService};
use concord_service::work::WorkService;
use concord_store::roles;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::time::Duration;

/// What all projects of a process share.
#[derive(Clone)]
pub struct Shared {
    /// The models.
    pub models: Models,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Who else people sign in with.
    provider: Option<Arc<Provider>>,
    /// What opens models of a registry; `None`: a server elsewhere has the models.
    opener: Option<Opener>,
}

impl Shared {
    /// Opens the models lazily: no weights are read.
    ///
    /// # Errors
    /// In words for the person at the terminal.
    pub fn new(config: &Config) -> Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let catalogue = Arc::new(Catalogue::read(&config.models.join("catalogue.toml"))?);
        let models = open_models(config, &catalogue, &metrics)?;
        let opener = config.llm.is_none().then(|| Opener {
            catalogue,
            weights: config.weights.clone(),
            metrics: Arc::clone(&metrics),
        });
        let provider = config.provider.clone().map(Provider::new).transpose().map_err(anyhow::Error::msg)?;
        Ok(Self { models, metrics, provider, opener })
    }
}

/// Everything of a project, put together.
pub struct Concord {
    /// The database.
    pub pool: PgPool,
    /// What pages and handlers call.
    pub use_cases: api::UseCases,
    /// Accounts, with what only commands may do.
    pub accounts: Arc<AccountsService>,
    /// The models.
    pub models: Models,
    /// Generations, with what only commands may do.
    pub work: WorkService,
    /// Exports, with what only commands may do.
    pub exports: ExportsService,
    /// The registry, with what only commands may do.
    pub evolve: EvolveService,
    /// The generator's place, where a promoted model may take it.
    pub standing: Option<Arc<Standing>>,
    /// Runs jobs.
    pub worker: Worker,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

/// Connects, migrates, stores the shipped rubrics, and composes. No weights are read.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn compose(config: &Config, database: &Database) -> Result<Concord> {
    compose_with(config, database, &Shared::new(config)?).await
}

/// The same for one project of several.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn compose_with(config: &Config, database: &Database, shared: &Shared) -> Result<Concord> {
    let owner = connect(config, database).await?;
    prepare(&owner, config, database).await?;
    owner.close().await;
    let pool = connect_as_server(config, database).await?;
    let Shared { mut models, metrics, provider, opener } = shared.clone();
    let standing =
        opener.map(|opener| Arc::new(Standing::new(pool.clone(), Arc::clone(&models.generator), opener)));
    if let Some(standing) = &standing {
        if let Err(error) = standing.look().await {
            tracing::warn!(%error, "the promoted model was not taken; the model of the settings serves");
        }
        models.generator = Arc::clone(standing) as _;
    }
    let accounts = Arc::new(AccountsService::new(pool.clone()).with_provider(provider));
    let exports = ExportsService::new(pool.clone(), config.exports_of(database.project()));
    let evolve = EvolveService::new(pool.clone());
    let work = WorkService::new(pool.clone(), models.clone());
    let lens = Arc::new(Lens::default());
    let reach = if config.webhook_private { Reach::Anywhere } else { Reach::Public };
    let use_cases = api::UseCases {
        accounts: accounts.clone(),
        privacy: Arc::new(PrivacyService::new(pool.clone())),
        review: Arc::new(ReviewService::new(pool.clone())),
        programmes: Arc::new(ProgrammesService::new(pool.clone())),
        samples: Arc::new(SamplesService::new(pool.clone())),
        work: Arc::new(work.clone()),
        pipeline: Arc::new(PipelineService::new(pool.clone(), models.clone(), Arc::clone(&lens))),
        audit: Arc::new(AuditService::new(pool.clone())),
        webhooks: Arc::new(WebhooksService::new(pool.clone(), reach)),
        judges: Arc::new(JudgesService::new(pool.clone(), models.clone())),
        adjudications: Arc::new(AdjudicationsService::new(pool.clone())),
        rubrics: Arc::new(RubricsService::new(pool.clone())),
        exports: Arc::new(exports.clone()),
        evolve: Arc::new(evolve.clone()),
        recommend: Arc::new(RecommendService::new(pool.clone(), backend(config, &pool)?)),
    };
    let generator = Generator {
        pool: pool.clone(),
        models: models.clone(),
        index: Arc::new(ItemIndex::default()),
        lens: Arc::clone(&lens),
    };
    let judge = Judge { pool: pool.clone(), models: models.clone() };
    let courier = Courier { pool: pool.clone(), reach };
    let trainer = Arc::new(LocalTrainer::new(config, pool.clone()));
    let rounds =
        Rounds { pool: pool.clone(), models: models.clone(), exports: exports.clone(), lens, trainer };
    let worker = Worker {
        pool: pool.clone(),
        generator,
        judge,
        exports: exports.clone(),
        rounds: Some(rounds),
        courier,
        meter: metrics.of(database.project().name()),
    };
    Ok(Concord { pool, use_cases, accounts, models, work, exports, evolve, standing, worker, metrics })
}

/// What searches item vectors.
fn backend(config: &Config, pool: &PgPool) -> Result<Backend> {
    Ok(match config.vectors {
        Vectors::Auto => Backend::Auto,
        Vectors::Exact => Backend::Exact,
        Vectors::Hnsw => Backend::Hnsw,
        Vectors::PgVector | Vectors::Qdrant => {
            Backend::Outside(outside(config, pool)?.context("a search elsewhere")?)
        }
    })
}

/// The program elsewhere that searches item vectors; `None` where they are searched here.
///
/// # Errors
/// An address that cannot be used.
pub fn outside(config: &Config, pool: &PgPool) -> Result<Option<Arc<dyn Outside>>> {
    Ok(match (config.vectors, &config.vector_url) {
        (Vectors::PgVector, None) => Some(Arc::new(PgVector::new(pool.clone()))),
        (Vectors::PgVector, Some(url)) => {
            // Not connected before it is needed: pages work without it.
            let elsewhere =
                pool_of(config.db_pool).connect_lazy(url.expose()).context("setting vector_url")?;
            Some(Arc::new(PgVector::new(elsewhere)))
        }
        (Vectors::Qdrant, Some(url)) => {
            let key = config.vector_api_key.as_ref().map(|key| key.expose().to_owned());
            Some(Arc::new(Qdrant::new(url.expose(), key)?))
        }
        _ => None,
    })
}

/// A pool of connections with the rights of the address: for commands of the operator.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn connect(config: &Config, database: &Database) -> Result<PgPool> {
    pool(config, database)
        .connect_with(database.options())
        .await
        .with_context(|| format!("cannot connect to the database ({})", database.describe()))
}

/// A pool of connections that cannot take a label away. Where the roles are missing, as under an address that may not
/// make roles, triggers alone keep the labels.
///
/// # Errors
/// In words for the person at the terminal.
async fn connect_as_server(config: &Config, database: &Database) -> Result<PgPool> {
    // A process that hangs in the middle of a transaction would hold its locks, and the log's horizon, for ever.
    let mut options = database.options().options([("idle_in_transaction_session_timeout", "30s")]);
    let mut pool = pool(config, database);
    if database.is_private() {
        options = options.username(roles::SERVER);
    } else {
        pool = pool.after_connect(|conn, _| {
            Box::pin(async move {
                match roles::may_act_as(conn, roles::SERVER).await {
                    Ok(true) => roles::act_as_server(conn).await,
                    Ok(false) => Ok(()),
                    Err(error) => Err(sqlx::Error::Protocol(error.to_string())),
                }
            })
        });
    }
    pool.connect_with(options)
        .await
        .with_context(|| format!("cannot connect to the database ({})", database.describe()))
}

fn pool(config: &Config, database: &Database) -> PgPoolOptions {
    let most = if database.project().is_default() { config.db_pool } else { config.project_db_pool };
    pool_of(most)
}

fn pool_of(most: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(most).acquire_timeout(Duration::from_secs(5))
}

/// The schema at this version, the rights of the roles, the salt of the halves while it may still be set, the shipped
/// rubrics. An address that does not own the schema finds it as it must be, or is told who has to migrate it.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn prepare(pool: &PgPool, config: &Config, database: &Database) -> Result<()> {
    if roles::is_owner(&mut *pool.acquire().await?).await? {
        concord_store::MIGRATOR.run(pool).await.context("the schema could not be brought up to date")?;
        roles::grant(&mut *pool.acquire().await?, database.is_private()).await?;
    } else if !is_current(&mut *pool.acquire().await?).await? {
        bail!(
            "the schema is older than this program: run `concord migrate` with the owner's DATABASE_URL first"
        );
    }
    let mut tx = pool.begin().await?;
    concord_store::settings::set_split_salt(&mut tx, config.split_salt.as_deref()).await?;
    for rubric in concord_pipeline::rubrics::shipped()? {
        concord_store::rubrics::add(&mut tx, &rubric).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Whether every migration of this program is applied.
async fn is_current(conn: &mut PgConnection) -> Result<bool> {
    let applied = concord_store::backup::migrations(conn).await?;
    let is_applied = |version| applied.iter().any(|(it, _)| *it == version);
    Ok(concord_store::MIGRATOR.iter().all(|it| is_applied(it.version)))
}

/// Who acts when a command does: an account of its own, so that the log says so.
#[must_use]
pub fn operator() -> Actor {
    Actor {
        account: AccountId(uuid::Uuid::nil()),
        email: "operator@localhost".into(),
        role: Role::Admin,
        scopes: None,
    }
}

fn open_models(config: &Config, catalogue: &Catalogue, metrics: &Arc<Metrics>) -> Result<Models> {
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
            None => open_language_model(catalogue, name, &config.weights, Options::default()),
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
        open_embedder(catalogue, &config.embedder_model, &config.weights, Options::default())?;
    let metered = |model, role| Arc::new(MeteredModel::new(model, role, Arc::clone(metrics)));
    Ok(Models {
        generator: metered(generator, "generator"),
        judge: metered(judge, "judge"),
        embedder: Arc::new(MeteredEmbedder::new(embedder, Arc::clone(metrics))),
    })
}
