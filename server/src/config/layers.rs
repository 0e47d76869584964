//! Where a setting's value comes from: flag before environment before file before default.

use super::ConfigError;
use super::settings::{SETTINGS, Setting, setting};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On the command line.
    Flag,
    /// In the environment.
    Environment,
    /// In this file.
    File(PathBuf),
    /// Nowhere: the default.
    Default,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting with its value.
#[derive(Clone)]
pub struct Resolved {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value, if it has one.
    pub value: Option<String>,
    /// Where that was found.
    pub source: Source,
}

impl Resolved {
    /// The value as people may see it.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.value {
            None => String::new(),
            Some(_) if self.setting.secret => "***".into(),
            Some(value) => value.clone(),
        }
    }
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={} ({})", self.setting.name, self.shown(), self.source)
    }
}

/// Looks every setting up: `flag` and `env` give a value by the setting's name and variable.
/// An empty value counts as none, so that `DATABASE_URL= make run` means what it looks like.
pub(super) fn resolve(
    flag: impl Fn(&str) -> Option<String>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Resolved>, ConfigError> {
    let given = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
    let chosen = given(flag("config")).or_else(|| given(env("CONCORD_CONFIG")));
    let (path, file) = read(chosen.as_deref())?;
    Ok(SETTINGS
        .iter()
        .map(|setting| {
            let (value, source) = if let Some(value) = given(flag(setting.name)) {
                (Some(value), Source::Flag)
            } else if let Some(value) = given(env(setting.env)) {
                (Some(value), Source::Environment)
            } else if let Some(value) = given(file.get(setting.name).cloned()) {
                (Some(value), Source::File(path.clone()))
            } else {
                ((setting.default)(), Source::Default)
            };
            Resolved { setting, value, source }
        })
        .collect())
}

/// The file's keys and values. A file that was asked for must be there; `concord.toml` need not be.
fn read(chosen: Option<&str>) -> Result<(PathBuf, BTreeMap<String, String>), ConfigError> {
    let path = PathBuf::from(chosen.unwrap_or("concord.toml"));
    if chosen.is_none() && !path.exists() {
        return Ok((path, BTreeMap::new()));
    }
    let unreadable = |why: String| ConfigError::File { path: path.clone(), why };
    let text = fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let values = table.into_iter().map(|(key, value)| entry(&path, key, value)).collect::<Result<_, _>>()?;
    Ok((path, values))
}

fn entry(path: &Path, key: String, value: toml::Value) -> Result<(String, String), ConfigError> {
    let refuse = |why: String| ConfigError::File { path: path.to_owned(), why };
    if key == "config" || setting(&key).is_none() {
        return Err(refuse(format!("no setting is called `{key}`; `concord doctor` lists them")));
    }
    match value {
        toml::Value::String(text) => Ok((key, text)),
        toml::Value::Integer(number) => Ok((key, number.to_string())),
        _ => Err(refuse(format!("`{key}` must be a text or a whole number"))),
    }
}
