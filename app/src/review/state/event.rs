//! What can happen on the page, what it says of it, and what is to be done.

use super::super::draft::{Draft, Pending};
use crate::error::ApiError;
use concord_domain::{Answer, Assignment, AssignmentId, MyProgress, Reveal};

/// What the page says about the last event.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Notice {
    #[default]
    None,
    NotJudged,
    Kept,
    Revised,
    Waiting,
    SentLate,
    Undone,
    NothingToUndo,
    Reopened,
    Skipped,
    Escalated,
    Trouble(ApiError),
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// An answer by name, from a press on its button.
    Answer {
        criterion: usize,
        label: String,
    },
    /// An answer by side, from a key; again takes the side's next label.
    Side {
        criterion: usize,
        pass: bool,
    },
    Comment(String),
    /// Enter: submit, go on or revise. The key is fresh and used only if something is sent.
    Advance {
        key: String,
    },
    /// Keep all answers as they were before the reveal.
    Keep {
        key: String,
    },
    Undo,
    /// A cited line does not support the sample, or does after all.
    Mark(u32),
    Skip {
        reason: String,
        /// A lead is asked.
        escalate: bool,
    },
    SkipEnded(Option<ApiError>),
    Sent {
        key: String,
    },
    SendFailed {
        key: String,
        error: ApiError,
    },
    Revealed {
        id: AssignmentId,
        reveal: Reveal,
    },
    RevealFailed {
        id: AssignmentId,
        error: ApiError,
    },
    Fetched(Vec<Assignment>),
    FetchFailed(ApiError),
    Reopened {
        assignment: Box<Assignment>,
        answers: Vec<Answer>,
        reveal: Reveal,
    },
    ReopenFailed(Option<ApiError>),
    Progress(MyProgress),
    /// Drafts and unsent answers found in the browser.
    Draft(Draft),
    Outbox(Vec<Pending>),
    LookAgain,
}

/// What the desk must do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    StoreOutbox,
    /// That pending answer is settled: it need not be kept.
    Settled(String),
    Flush,
    Reveal(AssignmentId),
    Fetch,
    /// Gives it back with a reason; `true`: to a lead.
    Skip(AssignmentId, String, bool),
    /// Reopen that assignment, or the last one the server knows of.
    Reopen(Option<AssignmentId>),
    SaveDraft,
    LoadDraft(AssignmentId),
    ForgetDraft(AssignmentId),
    Progress,
}
