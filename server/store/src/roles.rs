//! Whom a connection acts as: the owner of the schema, a server that cannot take a label away, or the eraser.

use crate::Result;
use sqlx::PgConnection;

/// What servers act as.
pub const SERVER: &str = "concord_server";
/// What deletes a user.
pub const ERASER: &str = "concord_eraser";

/// Whether this connection may change the schema: it owns it, or there is none yet.
///
/// # Errors
/// The database's.
pub async fn is_owner(conn: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select coalesce((select pg_has_role(current_user, relowner, 'member') from pg_class
                          where oid = to_regclass('public._sqlx_migrations')), true)",
    )
    .fetch_one(conn)
    .await?)
}

/// Gives the roles their rights on every table there is now. `sign_in`: servers connect by the role's name, as they
/// do in the private cluster, whose socket lets in nobody else.
///
/// # Errors
/// The database's.
pub async fn grant(conn: &mut PgConnection, sign_in: bool) -> Result<()> {
    sqlx::query("select concord_grant_roles()").execute(&mut *conn).await?;
    if sign_in {
        sqlx::query(
            "do $$ begin
                if exists (select from pg_roles where rolname = 'concord_server' and not rolcanlogin) then
                    alter role concord_server login;
                end if;
             end $$",
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Whether this connection may act as that role.
///
/// # Errors
/// The database's.
pub async fn may_act_as(conn: &mut PgConnection, role: &str) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select from pg_roles where rolname = $1 and pg_has_role(session_user, oid, 'member'))",
    )
    .bind(role)
    .fetch_one(conn)
    .await?)
}

/// Acts as the server from now on.
///
/// # Errors
/// The database's.
pub async fn act_as_server(conn: &mut PgConnection) -> std::result::Result<(), sqlx::Error> {
    sqlx::query("set role concord_server").execute(conn).await?;
    Ok(())
}

/// Acts as the eraser until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn act_as_eraser(conn: &mut PgConnection) -> Result<()> {
    sqlx::query("set local role concord_eraser").execute(conn).await?;
    Ok(())
}
