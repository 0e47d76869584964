//! Faults of ours: logged with a reference, shown as that reference only.

use concord_domain::Error;
use concord_domain::ports::ModelError;
use concord_store::StoreError;

/// Turns the errors of parts into the one error of use cases.
pub(crate) trait OrInternal<T> {
    /// Logs what happened and gives [`Error::Internal`] with the reference in the log.
    fn or_internal(self) -> Result<T, Error>;
}

impl<T> OrInternal<T> for Result<T, StoreError> {
    fn or_internal(self) -> Result<T, Error> {
        self.map_err(|error| internal(&error))
    }
}

impl<T> OrInternal<T> for Result<T, sqlx::Error> {
    fn or_internal(self) -> Result<T, Error> {
        self.map_err(|error| internal(&error))
    }
}

impl<T> OrInternal<T> for Result<T, concord_pipeline::PipelineError> {
    fn or_internal(self) -> Result<T, Error> {
        self.map_err(|error| internal(&error))
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
