//! What survives a closed tab and a dead network: drafts and answers not yet sent, on the browser's [`shelf`],
//! kept apart by account so that two people at one browser never mix.

use super::shelf;
use concord_domain::{Answer, AssignmentId, Submission};
use serde::{Deserialize, Serialize};

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

fn draft_name(account: &str, id: AssignmentId) -> String {
    format!("{}{id}", draft_prefix(account))
}

fn draft_prefix(account: &str) -> String {
    format!("concord.{account}.draft.")
}

fn outbox_prefix(account: &str) -> String {
    format!("concord.{account}.outbox.")
}

fn put<T: Serialize>(name: String, value: &T) {
    if let Ok(json) = serde_json::to_string(value) {
        shelf::put(name, json);
    }
}

/// Keeps a draft.
pub(crate) fn save(account: &str, draft: &Draft) {
    put(draft_name(account, draft.assignment), draft);
}

/// Looks for the draft of an assignment.
pub(crate) fn load(account: &str, id: AssignmentId, then: impl FnOnce(Draft) + 'static) {
    let name = draft_name(account, id);
    shelf::all(name, move |found| {
        if let Some(draft) = found.iter().find_map(|json| serde_json::from_str(json).ok()) {
            then(draft);
        }
    });
}

/// Forgets a draft.
pub(crate) fn forget(account: &str, id: AssignmentId) {
    shelf::remove(draft_name(account, id));
}

/// Looks for an assignment whose verdicts were on the screen when the tab closed.
pub(crate) fn interrupted(account: &str, then: impl FnOnce(Option<AssignmentId>) + 'static) {
    shelf::all(draft_prefix(account), move |found| {
        let mut drafts = found.iter().filter_map(|json| serde_json::from_str::<Draft>(json).ok());
        then(drafts.find(|draft| draft.revised).map(|draft| draft.assignment));
    });
}

/// Keeps the answers not yet sent, each under a name of its own: two tabs never overwrite each other's.
pub(crate) fn save_outbox(account: &str, outbox: &[Pending]) {
    let prefix = outbox_prefix(account);
    outbox.iter().for_each(|pending| put(format!("{prefix}{}", pending.key), pending));
}

/// Forgets an answer that is settled.
pub(crate) fn forget_pending(account: &str, key: &str) {
    shelf::remove(format!("{}{key}", outbox_prefix(account)));
}

/// Looks for the answers not yet sent.
pub(crate) fn load_outbox(account: &str, then: impl FnOnce(Vec<Pending>) + 'static) {
    shelf::all(outbox_prefix(account), move |found| {
        then(found.iter().filter_map(|json| serde_json::from_str(json).ok()).collect());
    });
}
