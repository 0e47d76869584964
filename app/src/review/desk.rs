//! Carries out what the reducer asks for: server calls, storage, retries. Browser only.

use super::draft;
use super::state::{Effect, Event, State};
use crate::error::ApiError;
use crate::rpc::review as rpc;
use concord_domain::{AssignmentId, Error};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

/// The state and its hands. A copy is a handle.
#[derive(Clone, Copy)]
pub(crate) struct Desk {
    pub(crate) state: RwSignal<State>,
    account: StoredValue<String>,
    task: StoredValue<String>,
    sending: StoredValue<bool>,
    failures: StoredValue<u32>,
    /// What the dialog that gives a sample back has chosen.
    pub(crate) reason: RwSignal<&'static str>,
}

impl Desk {
    pub(crate) fn new(state: State, account: String, task: String) -> Self {
        Self {
            state: RwSignal::new(state),
            account: StoredValue::new(account),
            task: StoredValue::new(task),
            sending: StoredValue::new(false),
            failures: StoredValue::new(0),
            reason: RwSignal::new("unsure"),
        }
    }

    /// Applies an event and does what follows. After the page is gone it does nothing.
    pub(crate) fn send(self, event: Event) {
        for effect in self.state.try_update(|state| state.apply(event)).unwrap_or_default() {
            self.run(effect);
        }
    }

    /// Takes up what an earlier visit left in this browser.
    pub(crate) fn resume(self) {
        let account = self.account.get_value();
        draft::load_outbox(&account, move |found| self.send(Event::Outbox(found)));
        draft::interrupted(&account, move |found| {
            if let Some(id) = found {
                self.run(Effect::Reopen(Some(id)));
            } else if let Some(id) = self.current() {
                self.run(Effect::LoadDraft(id));
            }
        });
        if let Some(effect) = self.state.with_untracked(State::opening) {
            self.run(effect);
        }
    }

    /// Tries again at once, e.g. when the network is back.
    pub(crate) fn flush(self) {
        if self.sending.try_get_value().unwrap_or(true) {
            return;
        }
        self.sending.set_value(true);
        spawn_local(async move {
            while let Some(pending) =
                self.state.try_with_untracked(|state| state.outbox.first().cloned()).flatten()
            {
                let key = pending.key.clone();
                match rpc::submit_answers(pending.assignment, pending.key, pending.submission).await {
                    Ok(_) => {
                        self.failures.try_set_value(0);
                        self.send(Event::Sent { key });
                    }
                    Err(error) => {
                        let again = error.is_passing();
                        let stop = again || error == ApiError::Refused(Error::NotSignedIn);
                        self.send(Event::SendFailed { key, error });
                        if again {
                            self.flush_later();
                        }
                        if stop {
                            break;
                        }
                    }
                }
            }
            self.sending.try_set_value(false);
        });
    }

    /// One, two, four … at most 30 seconds later.
    fn flush_later(self) {
        let failures = self.failures.try_get_value().unwrap_or(0);
        self.failures.try_set_value(failures + 1);
        let seconds = 2_u64.pow(failures.min(5)).min(30);
        set_timeout(move || self.flush(), Duration::from_secs(seconds));
    }

    fn current(self) -> Option<AssignmentId> {
        self.state.try_with_untracked(|state| state.current.as_ref().map(|now| now.assignment.id)).flatten()
    }

    fn run(self, effect: Effect) {
        let Some(account) = self.account.try_get_value() else { return };
        match effect {
            Effect::StoreOutbox => {
                self.state.with_untracked(|state| draft::save_outbox(&account, &state.outbox))
            }
            Effect::Settled(key) => draft::forget_pending(&account, &key),
            Effect::Flush => self.flush(),
            Effect::SaveDraft => self.save_draft(),
            Effect::LoadDraft(id) => draft::load(&account, id, move |draft| self.send(Event::Draft(draft))),
            Effect::ForgetDraft(id) => draft::forget(&account, id),
            Effect::Reveal(id) => spawn_local(async move {
                self.send(match rpc::reveal_verdicts(id).await {
                    Ok(reveal) => Event::Revealed { id, reveal },
                    Err(error) => Event::RevealFailed { id, error },
                });
            }),
            Effect::Fetch => spawn_local(async move {
                let task = self.task.try_get_value().unwrap_or_default();
                self.send(match rpc::next_samples(task, 2).await {
                    Ok(assignments) => Event::Fetched(assignments),
                    Err(error) => Event::FetchFailed(error),
                });
            }),
            Effect::Skip(id, reason, escalate) => spawn_local(async move {
                self.send(Event::SkipEnded(rpc::skip_sample(id, reason, escalate).await.err()));
            }),
            Effect::Reopen(id) => spawn_local(async move { self.send(self.reopen(id).await) }),
            Effect::Progress => spawn_local(async move {
                if let Ok(progress) = rpc::get_progress().await {
                    self.send(Event::Progress(progress));
                }
            }),
        }
    }

    async fn reopen(self, id: Option<AssignmentId>) -> Event {
        let found = match id {
            Some(id) => Ok(Some(id)),
            None => rpc::list_recent().await.map(|recent| {
                let current = self.current();
                recent.into_iter().map(|row| row.assignment).find(|id| Some(*id) != current)
            }),
        };
        let id = match found {
            Ok(Some(id)) => id,
            Ok(None) => return Event::ReopenFailed(None),
            Err(error) => return Event::ReopenFailed(Some(error)),
        };
        let opened = match rpc::reopen_sample(id).await {
            Ok(opened) => opened,
            Err(error) => {
                if let Some(account) = self.account.try_get_value().filter(|_| !error.is_passing()) {
                    draft::forget(&account, id);
                }
                return Event::ReopenFailed(Some(error));
            }
        };
        match rpc::reveal_verdicts(id).await {
            Ok(reveal) => {
                let (assignment, answers) = opened;
                Event::Reopened { assignment: Box::new(assignment), answers, reveal }
            }
            Err(error) => Event::ReopenFailed(Some(error)),
        }
    }

    fn save_draft(self) {
        let draft =
            self.state.with_untracked(|state| state.current.as_ref().map(super::state::Current::draft));
        if let (Some(draft), Some(account)) = (draft, self.account.try_get_value()) {
            draft::save(&account, &draft);
        }
    }

    /// A second in front of a visible page. Never shown, so nothing is drawn again for it.
    pub(crate) fn tick(self) {
        let whole = self.state.try_update_untracked(|state| {
            let now = state.current.as_mut()?;
            now.seconds += 1.0;
            // The start is saved with the first answer; after that every tenth second is enough.
            (now.answered() > 0 && now.seconds % 10.0 == 0.0).then_some(())
        });
        if whole.flatten().is_some() {
            self.save_draft();
        }
    }
}

/// A fresh idempotency key. `getRandomValues` also works where the page came by plain http, which
/// `randomUUID` does not.
pub(crate) fn fresh_key() -> String {
    let mut bytes = [0_u8; 16];
    if let Ok(crypto) = window().crypto() {
        crypto.get_random_values_with_u8_array(&mut bytes).map(drop).unwrap_or_default();
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
