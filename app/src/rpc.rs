//! Server functions, one file per use-case area: who asks, one call, one mapping of the error.

pub(crate) mod account;
pub(crate) mod review;
pub(crate) mod work;

/// The network address that asks, in the extensions of every request.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub Option<std::net::IpAddr>);

/// The use cases and the signed-in actor of this request.
#[cfg(feature = "ssr")]
fn context() -> Result<(concord_domain::Actor, concord_domain::api::UseCases), crate::error::ApiError> {
    use leptos::prelude::{expect_context, use_context};
    let actor = use_context::<Option<concord_domain::Actor>>().flatten();
    let actor = actor.ok_or_else(|| crate::error::fail(concord_domain::Error::NotSignedIn))?;
    Ok((actor, expect_context()))
}
