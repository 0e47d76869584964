//! The settings of signing in with an OpenID Connect provider.

use super::{ConfigError, optional, text, wrong};
use crate::config::Resolved;
use concord_domain::Role;
use concord_service::accounts::{Provider, ProviderSettings};
use std::fs;

/// The provider, if one is set; a setting that only makes sense with others is refused without them.
pub(super) fn provider(settings: &[Resolved]) -> Result<Option<ProviderSettings>, ConfigError> {
    let Some(issuer) = optional(settings, "oidc_issuer") else { return Ok(None) };
    let domains: Vec<String> = optional(settings, "oidc_domains")
        .unwrap_or_default()
        .split(',')
        .map(|domain| domain.trim().trim_start_matches('@').to_lowercase())
        .filter(|domain| !domain.is_empty())
        .collect();
    let role = match optional(settings, "oidc_role").as_deref() {
        None => None,
        Some(_) if domains.is_empty() => {
            return Err(wrong(settings, "oidc_role", "needs oidc_domains: else anyone could come in"));
        }
        Some("annotator") => Some(Role::Annotator),
        Some("lead") => Some(Role::Lead),
        Some(_) => return Err(wrong(settings, "oidc_role", "must be annotator or lead")),
    };
    let provider = ProviderSettings {
        issuer,
        client_id: text(settings, "oidc_client_id")?,
        client_secret: secret(settings)?,
        domains,
        role,
    };
    Provider::new(provider.clone()).map_err(|why| wrong(settings, "oidc_issuer", &why))?;
    Ok(Some(provider))
}

/// The client's secret, from its file where one is named: an environment can be read by more than a file can.
fn secret(settings: &[Resolved]) -> Result<Option<String>, ConfigError> {
    let Some(path) = optional(settings, "oidc_client_secret_file") else {
        return Ok(optional(settings, "oidc_client_secret"));
    };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) => Err(wrong(settings, "oidc_client_secret_file", &format!("{path}: {error}"))),
    }
}
