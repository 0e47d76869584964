//! What survives a closed tab and a dead network: drafts and answers not yet sent, in local storage,
//! kept apart by account so that two people at one browser never mix.

use concord_domain::{Answer, AssignmentId, Submission};
use serde::{Deserialize, Serialize};
use web_sys::Storage;

/// An unsubmitted piece of work on one assignment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Draft {
    pub(crate) assignment: AssignmentId,
    pub(crate) answers: Vec<Answer>,
    pub(crate) comment: String,
    pub(crate) seconds: f64,
    /// The verdicts were shown: it goes on as a revision.
    pub(crate) revised: bool,
    #[serde(default)]
    pub(crate) unsupported: Vec<u32>,
}

/// A submission that the server has not confirmed; sent again whole, with the same key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) assignment: AssignmentId,
    pub(crate) key: String,
    pub(crate) submission: Submission,
    /// It is the first answer to the sample.
    #[serde(default)]
    pub(crate) first: bool,
}

fn storage() -> Option<Storage> {
    leptos::prelude::window().local_storage().ok().flatten()
}

fn draft_name(account: &str, id: AssignmentId) -> String {
    format!("concord.{account}.draft.{id}")
}

fn outbox_prefix(account: &str) -> String {
    format!("concord.{account}.outbox.")
}

fn put<T: Serialize>(name: &str, value: &T) {
    if let (Some(storage), Ok(json)) = (storage(), serde_json::to_string(value)) {
        // A full or forbidden storage must not stop the work: the page itself still holds it.
        storage.set_item(name, &json).unwrap_or_default();
    }
}

fn take<T: for<'de> Deserialize<'de>>(name: &str) -> Option<T> {
    serde_json::from_str(&storage()?.get_item(name).ok()??).ok()
}

/// Keeps a draft.
pub(crate) fn save(account: &str, draft: &Draft) {
    put(&draft_name(account, draft.assignment), draft);
}

/// The draft of an assignment.
pub(crate) fn load(account: &str, id: AssignmentId) -> Option<Draft> {
    take(&draft_name(account, id))
}

/// Forgets a draft.
pub(crate) fn forget(account: &str, id: AssignmentId) {
    if let Some(storage) = storage() {
        storage.remove_item(&draft_name(account, id)).unwrap_or_default();
    }
}

/// An assignment whose verdicts were on the screen when the tab closed.
pub(crate) fn interrupted(account: &str) -> Option<AssignmentId> {
    names(&format!("concord.{account}.draft."))
        .iter()
        .find_map(|name| take::<Draft>(name).filter(|draft| draft.revised))
        .map(|draft| draft.assignment)
}

/// Keeps the answers not yet sent, each under a name of its own: two tabs never overwrite each other's.
pub(crate) fn save_outbox(account: &str, outbox: &[Pending]) {
    let prefix = outbox_prefix(account);
    outbox.iter().for_each(|pending| put(&format!("{prefix}{}", pending.key), pending));
}

/// Forgets an answer that is settled.
pub(crate) fn forget_pending(account: &str, key: &str) {
    if let Some(storage) = storage() {
        storage.remove_item(&format!("{}{key}", outbox_prefix(account))).unwrap_or_default();
    }
}

/// The answers not yet sent.
pub(crate) fn load_outbox(account: &str) -> Vec<Pending> {
    names(&outbox_prefix(account)).iter().filter_map(|name| take(name)).collect()
}

/// Names in the storage that begin so.
fn names(prefix: &str) -> Vec<String> {
    let Some(storage) = storage() else { return Vec::new() };
    let names = (0..storage.length().unwrap_or(0)).filter_map(|i| storage.key(i).ok().flatten());
    names.filter(|name| name.starts_with(prefix)).collect()
}
