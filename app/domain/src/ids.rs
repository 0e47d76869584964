//! Typed ids, so that a sample's id cannot be passed for an assignment's.

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name(pub uuid::Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

uuid_ids! {
    /// A person who signs in.
    AccountId,
    /// One run of a generator version over some users.
    GenerationId,
    /// One generated thing to be judged.
    SampleId,
    /// A lease of one sample to one annotator.
    AssignmentId,
    /// One answer of a person on one criterion.
    LabelId,
    /// One unit of slow work.
    JobId,
    /// One written export.
    ExportId,
}
