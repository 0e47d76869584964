//! A project's name. A project is a team's own Concord on a shared server: a database of its own beside the default
//! project's, so that no statement can reach from one into another, and a host name of its own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a project's database is called: the default project's name, this, and the project's name.
const BETWEEN: &str = "--";
/// PostgreSQL cuts longer names.
const LONGEST_DATABASE: usize = 63;

/// The default project, or one beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Project(Option<String>);

impl Project {
    /// Whether it is the one that every installation has.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0.is_none()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.as_deref().unwrap_or("default")
    }

    /// Its database, beside the default project's.
    ///
    /// # Errors
    /// In words, where the name would be longer than PostgreSQL's names are.
    pub fn database(&self, base: &str) -> Result<String, String> {
        let Some(name) = &self.0 else { return Ok(base.to_owned()) };
        let database = format!("{}{name}", Self::prefix(base));
        match database.len() {
            ..=LONGEST_DATABASE => Ok(database),
            _ => Err(format!("{name}: the database's name, {database}, would be longer than 63 characters")),
        }
    }

    /// What the databases of projects beside this default one begin with.
    #[must_use]
    pub fn prefix(base: &str) -> String {
        format!("{base}{BETWEEN}")
    }

    /// Its part of the data folder.
    #[must_use]
    pub fn folder(&self, data: &Path) -> PathBuf {
        match &self.0 {
            None => data.to_owned(),
            Some(name) => data.join("projects").join(name),
        }
    }

    /// Its host name below the base.
    #[must_use]
    pub fn host(&self, base: &str) -> String {
        match &self.0 {
            None => base.to_owned(),
            Some(name) => format!("{name}.{base}"),
        }
    }
}

impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Project {
    type Err = String;

    /// A label of a host name, since it becomes one.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self::default());
        }
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let good = (1..=30).contains(&text.len())
            && text.bytes().all(inner)
            && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && !text.ends_with('-')
            && !text.contains(BETWEEN);
        if good {
            Ok(Self(Some(text.to_owned())))
        } else {
            Err("1 to 30 of a-z, 0-9 and single hyphens, beginning with a letter".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_host_name_and_a_databases_name_and_nothing_more() {
        for bad in ["", "A", "a_b", "a.b", "-a", "a-", "a--b", "1a", "a/b", "a\"b", "..", &"a".repeat(31)] {
            assert!(bad.parse::<Project>().is_err(), "{bad:?}");
        }
        let lab: Project = "lab-2".parse().expect("a name");
        assert_eq!(lab.database("concord"), Ok("concord--lab-2".into()));
        assert_eq!(lab.folder(Path::new("/data")), Path::new("/data/projects/lab-2"));
        assert_eq!(lab.host("concord.example.org"), "lab-2.concord.example.org");
        assert!(lab.database(&"x".repeat(60)).is_err());
        let default = Project::default();
        assert_eq!("default".parse(), Ok(default.clone()));
        assert_eq!((default.database("concord"), default.host("h")), (Ok("concord".into()), "h".into()));
    }
}
