//! Deleting a user of the logs everywhere. Anyone with the right may ask for it; doing it takes a database role that
//! no server has, so a command does it.

use crate::audit_log::rows_sha256;
use crate::error::OrInternal;
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{AccountId, Actor, Capability, Erasure, Error};
use concord_store::{StoreError, certificates, erasures, events, roles};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

/// Why a certificate that rested on deleted labels is void.
const WHY: &str = "labels it rested on were deleted at a user's request: certify anew";

/// Asking for deletions.
#[derive(Debug, Clone)]
pub struct PrivacyService {
    pool: PgPool,
}

impl PrivacyService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl api::Privacy for PrivacyService {
    async fn request_erasure(&self, actor: &Actor, user: &str) -> Result<Erasure> {
        actor.require(Capability::ManageAccounts)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let number = erasures::user(&mut tx, user).await.or_internal()?;
        let number = number.ok_or_else(|| Error::not_found("the user"))?;
        let new = Uuid::now_v7();
        let id = erasures::request(&mut tx, new, number, Some(actor.account)).await.or_internal()?;
        if id == new {
            events::append(
                &mut tx,
                Some(actor.account),
                "user_deletion_requested",
                &id.to_string(),
                &json!({}),
            )
            .await
            .or_internal()?;
        }
        let found = erasures::list(&mut tx).await.or_internal()?.into_iter().find(|it| it.id == id);
        tx.commit().await.or_internal()?;
        found.ok_or_else(|| Error::not_found("the request"))
    }

    async fn erasures(&self, actor: &Actor) -> Result<Vec<Erasure>> {
        actor.require(Capability::ManageAccounts)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        erasures::list(&mut conn).await.or_internal()
    }
}

/// Why a user was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The role is missing.
    #[error(
        "this database address may not act as {}: have an administrator run deploy/roles.sql, or use the owner's address",
        roles::ERASER
    )]
    NoRole,
    /// No such user.
    #[error("there is no user with that key")]
    NoUser,
}

impl From<sqlx::Error> for EraseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Deletes the user with this key and gives the receipt.
///
/// # Errors
/// [`EraseError`]; nothing is deleted then.
pub async fn delete(pool: &PgPool, actor: &Actor, key: &str) -> std::result::Result<Value, EraseError> {
    let mut conn = pool.acquire().await?;
    let user = erasures::user(&mut conn, key).await?.ok_or(EraseError::NoUser)?;
    let id = erasures::request(&mut conn, Uuid::now_v7(), user, Some(actor.account)).await?;
    drop(conn);
    erase(pool, actor.account, id, user).await
}

/// Does every deletion that was asked for; gives their receipts.
///
/// # Errors
/// [`EraseError`]; those done before it stay done.
pub async fn delete_requested(pool: &PgPool, actor: &Actor) -> std::result::Result<Vec<Value>, EraseError> {
    let open = erasures::open(&mut *pool.acquire().await?).await?;
    let mut receipts = Vec::with_capacity(open.len());
    for (id, user) in open {
        receipts.push(erase(pool, actor.account, id, user).await?);
    }
    Ok(receipts)
}

async fn erase(
    pool: &PgPool,
    account: AccountId,
    id: Uuid,
    user: i64,
) -> std::result::Result<Value, EraseError> {
    let mut tx = pool.begin().await?;
    if !roles::may_act_as(&mut tx, roles::ERASER).await? {
        return Err(EraseError::NoRole);
    }
    roles::act_as_eraser(&mut tx).await?;
    certificates::lock(&mut tx).await?;
    let elsewhere = erasures::elsewhere(&mut tx, user).await?;
    let voided = erasures::certificates(&mut tx, user).await?;
    let rows = erasures::list_rows(&mut tx, id, user).await?;
    let deleted = erasures::delete(&mut tx, user).await?;
    for certificate in &voided {
        certificates::end(&mut tx, *certificate, "void", WHY).await?;
        let detail = json!({"why": WHY, "erasure": id});
        events::append(&mut tx, Some(account), "certificate_void", &certificate.to_string(), &detail).await?;
    }
    let receipt = json!({
        "erasure": id, "deleted": deleted, "certificates": voided, "exports": elsewhere["exports"],
        "models": elsewhere["models"], "backups": elsewhere["backups"],
    });
    let mut detail = receipt.clone();
    detail["rows_sha256"] = rows_sha256(&rows).into();
    events::append(&mut tx, Some(account), "user_deleted", &id.to_string(), &detail).await?;
    erasures::finish(&mut tx, id, &receipt).await?;
    tx.commit().await?;
    Ok(receipt)
}
