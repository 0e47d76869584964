//! Faults of ours: logged with a reference, shown as that reference only.

use concord_domain::Error;
use concord_domain::ports::ModelError;
use concord_store::{StoreError, Trouble};

/// Turns the errors of parts into the one error of use cases.
pub(crate) trait OrInternal<T> {
    /// Logs what happened and gives [`Error::Internal`] with the reference in the log.
    fn or_internal(self) -> Result<T, Error>;
}

impl<T> OrInternal<T> for Result<T, StoreError> {
    fn or_internal(self) -> Result<T, Error> {
        self.map_err(|error| of_database(error.trouble(), &error))
    }
}

impl<T> OrInternal<T> for Result<T, sqlx::Error> {
    fn or_internal(self) -> Result<T, Error> {
        self.map_err(|error| of_database(concord_store::trouble(&error), &error))
    }
}

impl<T> OrInternal<T> for Result<T, concord_pipeline::PipelineError> {
    fn or_internal(self) -> Result<T, Error> {
        self.map_err(|error| internal(&error))
    }
}

/// What the database's trouble means to who asked: what passes is said to pass, so that a program, and the page
/// with what was entered, tries again.
fn of_database(trouble: Option<Trouble>, error: &dyn std::error::Error) -> Error {
    let away = |mend: &str| {
        tracing::error!(%error, "the database failed a use case");
        Error::Unavailable { what: "the database".to_owned(), mend: mend.to_owned() }
    };
    match trouble {
        Some(Trouble::Text) => Error::invalid("text", "holds the character NUL, which cannot be stored"),
        Some(Trouble::ReadOnly) => {
            away("it takes no writes now; what you entered is kept, send it again in a while")
        }
        Some(Trouble::Full) => {
            away("its disk is full; tell the operator, and send it again when there is room")
        }
        Some(Trouble::Away) => away("it does not answer now; send it again in a few seconds"),
        Some(Trouble::Contended) => {
            away("somebody changed the same at the same moment; nothing of yours is stored, send it again")
        }
        None => internal(error),
    }
}

/// Logs a fault and gives the error that names its reference.
pub(crate) fn internal(error: &dyn std::error::Error) -> Error {
    let reference = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
    tracing::error!(%reference, %error, "a use case failed");
    Error::Internal { reference }
}

/// What a model's refusal means to who asked.
pub(crate) fn of_model(error: ModelError) -> Error {
    match error {
        ModelError::Unavailable { name, why, mend } => {
            Error::Unavailable { what: format!("model {name} ({why})"), mend }
        }
        ModelError::Overloaded => Error::Busy { retry_after: 5 },
        other => internal(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_with_a_full_queue_asks_to_come_again() {
        let error = of_model(ModelError::Overloaded);
        assert!(matches!(error, Error::Busy { retry_after: 5 }), "{error:?}");
        assert_eq!(error.status(), 429);
    }
}
