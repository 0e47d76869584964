//! A bounded queue with priorities: who waits in person is served first.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use concord_domain::ports::Priority;

/// Jobs in the order they are to be done: by priority, then first come, first served.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
}

struct State<T> {
    person: VecDeque<T>,
    batch: VecDeque<T>,
    low: VecDeque<T>,
    closed: bool,
}

/// What a wait for work ended with.
pub(crate) enum Popped<T> {
    Job(T),
    /// Nothing came within the time.
    Idle,
    /// Nothing will come any more.
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let (person, batch, low) = Default::default();
        let state = State { person, batch, low, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), capacity }
    }

    /// Puts a job in its place; gives it back when the queue is full.
    pub(crate) fn push(&self, priority: Priority, job: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.person.len() + state.batch.len() + state.low.len() >= self.capacity {
            return Err(job);
        }
        match priority {
            Priority::Person => state.person.push_back(job),
            Priority::Batch => state.batch.push_back(job),
            Priority::Low => state.low.push_back(job),
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Puts a job back in front of its kind, whatever the capacity: it has had its place already.
    pub(crate) fn put_back(&self, priority: Priority, job: T) {
        let mut state = self.lock();
        match priority {
            Priority::Person => state.person.push_front(job),
            Priority::Batch => state.batch.push_front(job),
            Priority::Low => state.low.push_front(job),
        }
    }

    /// Whether anything waits.
    pub(crate) fn has_jobs(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Drops the jobs that are no longer worth doing.
    pub(crate) fn retain(&self, keep: impl Fn(&T) -> bool) {
        let mut state = self.lock();
        state.person.retain(&keep);
        state.batch.retain(&keep);
        state.low.retain(&keep);
    }

    /// Waits for the next job, for as long as `patience` if there is one.
    pub(crate) fn pop(&self, patience: Option<Duration>) -> Popped<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Popped::Closed;
            }
            let State { person, batch, low, .. } = &mut *state;
            if let Some(job) = person.pop_front().or_else(|| batch.pop_front()).or_else(|| low.pop_front()) {
                return Popped::Job(job);
            }
            state = match patience {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let waited = self.changed.wait_timeout(state, patience);
                    let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && state.is_empty() && !state.closed {
                        return Popped::Idle;
                    }
                    state
                }
            };
        }
    }

    /// Ends the queue: jobs left in it are dropped.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.person.clear();
        state.batch.clear();
        state.low.clear();
        self.changed.notify_all();
    }

    /// A poisoned lock is taken all the same: every change to the state is one whole step.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn is_empty(&self) -> bool {
        self.person.is_empty() && self.batch.is_empty() && self.low.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_go_before_batches_and_a_full_queue_refuses() {
        let queue = Queue::new(4);
        queue.push(Priority::Low, "low").unwrap();
        queue.push(Priority::Batch, "batch 1").unwrap();
        queue.push(Priority::Person, "person").unwrap();
        queue.push(Priority::Batch, "batch 2").unwrap();
        assert_eq!(queue.push(Priority::Person, "late"), Err("late"));
        let order: Vec<_> = std::iter::from_fn(|| match queue.pop(Some(Duration::ZERO)) {
            Popped::Job(job) => Some(job),
            _ => None,
        })
        .collect();
        assert_eq!(order, ["person", "batch 1", "batch 2", "low"]);
        queue.close();
        assert!(matches!(queue.pop(None), Popped::Closed));
    }
}
