//! Addresses that are told of certificates and alarms.

use serde::{Deserialize, Serialize};

/// What a webhook can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Notice {
    /// A certificate was issued.
    #[serde(rename = "certificate.issued")]
    CertificateIssued,
    /// A certificate ended for good.
    #[serde(rename = "certificate.voided")]
    CertificateVoided,
    /// A certificate was suspended by an alarm.
    #[serde(rename = "certificate.suspended")]
    CertificateSuspended,
    /// A drift alarm rang.
    #[serde(rename = "drift.alarm")]
    DriftAlarm,
    /// Somebody tries the address.
    #[serde(rename = "ping")]
    Ping,
}

impl Notice {
    /// Those that can be asked for; a ping comes to whoever sends one.
    pub const ALL: [Self; 4] =
        [Self::CertificateIssued, Self::CertificateVoided, Self::CertificateSuspended, Self::DriftAlarm];

    /// Its name in JSON and the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CertificateIssued => "certificate.issued",
            Self::CertificateVoided => "certificate.voided",
            Self::CertificateSuspended => "certificate.suspended",
            Self::DriftAlarm => "drift.alarm",
            Self::Ping => "ping",
        }
    }
}

/// An address to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewWebhook {
    /// `https://…` or `http://…`; an address inside a private network only where the server's settings allow it.
    pub url: String,
    /// What to tell of: `certificate.issued`, `certificate.voided`, `certificate.suspended`, `drift.alarm`.
    pub events: Vec<String>,
}

/// A registered address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    pub id: uuid::Uuid,
    /// Address.
    pub url: String,
    /// What it is told of.
    pub events: Vec<String>,
    /// Who registered it.
    pub by: String,
    /// When.
    pub at: jiff::Timestamp,
    /// The signing secret (`whsec_…`), shown with the answer that registers it and never again.
    pub secret: Option<String>,
    /// Messages delivered, waiting and given up.
    pub delivered: u64,
    /// Waiting for a try.
    pub waiting: u64,
    /// Given up.
    pub failed: u64,
}

/// One message on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delivery {
    /// Its id, sent as `webhook-id`: the same message twice has the same.
    pub id: uuid::Uuid,
    /// The address's id.
    pub webhook: uuid::Uuid,
    /// What it tells.
    pub event: String,
    /// `waiting`, `delivered` or `failed`.
    pub state: String,
    /// Tries so far.
    pub attempts: u32,
    /// HTTP status of the last try.
    pub status: Option<u16>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was queued.
    pub at: jiff::Timestamp,
    /// When it was delivered or given up.
    pub ended_at: Option<jiff::Timestamp>,
}
