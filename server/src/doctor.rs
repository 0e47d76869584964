//! What `concord doctor` tells: every setting with where it came from, and whether database, weights,
//! pages, disk and clock are as they should be, each trouble with how to mend it.

mod database;
mod machine;
mod models;

use crate::config::Config;
use concord_service::accounts::Provider;
use serde::Serialize;
use std::fmt;

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Every setting.
    pub settings: Vec<SettingLine>,
    /// Every check.
    pub checks: Vec<Check>,
}

/// A setting as shown.
#[derive(Debug, Serialize)]
pub struct SettingLine {
    /// Its key in the file.
    pub name: &'static str,
    /// Its value; secrets are masked.
    pub value: String,
    /// `flag`, `environment`, the file's path or `default`.
    pub source: String,
    /// Its environment variable.
    pub env: &'static str,
    /// What it is for.
    pub doc: &'static str,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// How to mend it.
    pub mend: Option<String>,
}

impl Check {
    fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), ok: true, found: found.into(), mend: None }
    }

    fn problem(name: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), ok: false, found: found.into(), mend: Some(mend.into()) }
    }
}

/// Looks at everything.
pub async fn examine(config: &Config) -> Report {
    let settings = config
        .settings
        .iter()
        .map(|it| SettingLine {
            name: it.setting.name,
            value: it.shown(),
            source: it.source.to_string(),
            env: it.setting.env,
            doc: it.setting.doc,
        })
        .collect();
    let mut checks = database::check(config).await;
    checks.extend(models::check(config).await);
    checks.extend(provider(config).await);
    checks.push(machine::pages(config));
    checks.push(machine::disk(config));
    checks.push(machine::calendar());
    Report { settings, checks }
}

/// Whether the OpenID Connect provider answers, where one is set.
async fn provider(config: &Config) -> Option<Check> {
    let settings = config.provider.clone()?;
    let issuer = settings.issuer.clone();
    let asked = match Provider::new(settings) {
        Ok(provider) => provider.check().await,
        Err(why) => Err(why),
    };
    Some(match asked {
        Ok(()) => Check::ok("sign-in", issuer),
        Err(why) => {
            let mend = "check oidc_issuer and the way to it; until then people sign in by password";
            Check::problem("sign-in", format!("{issuer}: {why}"), mend)
        }
    })
}

impl Report {
    /// Whether nothing has to be mended.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Settings (flag before environment before file before default)")?;
        for it in &self.settings {
            let value = if it.value.is_empty() { "-" } else { &it.value };
            writeln!(f, "  {:<16} {value:<36} {:<12} {}  {}", it.name, it.source, it.env, it.doc)?;
        }
        writeln!(f, "\nChecks")?;
        for it in &self.checks {
            writeln!(f, "  {:<8} {:<10} {}", if it.ok { "OK" } else { "PROBLEM" }, it.name, it.found)?;
            if let Some(mend) = &it.mend {
                writeln!(f, "  {:19} to mend: {mend}", "")?;
            }
        }
        Ok(())
    }
}
