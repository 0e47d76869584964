//! How verdicts become a grade, a rule a task.

use crate::Result;
use concord_domain::{AccountId, SeniorRule};
use sqlx::{PgConnection, Row};

/// The rule of a task, else the default.
///
/// # Errors
/// The database's.
pub async fn rule(conn: &mut PgConnection, task: &str) -> Result<SeniorRule> {
    let row = sqlx::query("select strong, share from senior_rules where task = $1")
        .bind(task)
        .fetch_optional(conn)
        .await?;
    row.map_or_else(
        || Ok(SeniorRule::default()),
        |row| Ok(SeniorRule { strong: row.try_get("strong")?, share: row.try_get("share")? }),
    )
}

/// Sets the rule of a task.
///
/// # Errors
/// The database's.
pub async fn set_rule(conn: &mut PgConnection, task: &str, rule: SeniorRule, by: AccountId) -> Result<()> {
    sqlx::query(
        "insert into senior_rules (task, strong, share, set_by) values ($1, $2, $3, $4)
         on conflict (task) do update set strong = $2, share = $3, set_by = $4, set_at = now()",
    )
    .bind(task)
    .bind(rule.strong)
    .bind(rule.share)
    .bind(by.0)
    .execute(conn)
    .await?;
    Ok(())
}
