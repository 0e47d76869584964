//! Threads that share the work of one product, and wait for the next one without sleeping at once.
//!
//! A token takes some hundred products, a few hundred microseconds each: waking a sleeping thread for every one
//! would cost a tenth of the time. So an idle thread looks for work for a moment before it sleeps. Tasks are taken
//! one by one, not dealt out: a thread that the system has put aside for something else holds nobody up for long.
#![allow(unsafe_code, reason = "a closure of the caller's stack is lent to threads; see `Pool::run`")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::isa::Isa;

/// How often an idle thread looks for work before it sleeps: some tens of microseconds.
const LOOKS: u32 = 4_000;

/// Most tasks of one run.
const MOST: usize = 0xffff;

/// Threads that compute together.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    isa: Isa,
}

struct Shared {
    /// Number of the run (32 bits), its tasks (16), and the next one to take (16): taking one changes nothing if
    /// the run has ended meanwhile.
    ticket: AtomicU64,
    work: AtomicPtr<Work<'static>>,
    finished: AtomicUsize,
    failed: AtomicBool,
    sleepers: AtomicUsize,
    ending: AtomicBool,
    gate: Mutex<()>,
    bell: Condvar,
}

struct Work<'a>(&'a (dyn Fn(usize) + Sync));

impl Pool {
    /// A pool of so many threads, the caller's included.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(threads: usize, isa: Isa) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            ticket: AtomicU64::new(0),
            work: AtomicPtr::new(std::ptr::null_mut()),
            finished: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            gate: Mutex::new(()),
            bell: Condvar::new(),
        });
        let mut pool = Self { shared, threads: Vec::new(), isa };
        for number in 1..threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            let thread =
                std::thread::Builder::new().name(format!("kernel {number}")).spawn(move || shared.serve())?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Threads, the caller's included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// The instructions it computes with.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Runs `work` for every number below `tasks`, on all threads; returns when all are done. The pool serves one
    /// caller at a time, which `&mut` says.
    ///
    /// # Panics
    /// When a task did.
    pub fn run(&mut self, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
        if self.threads.is_empty() || tasks <= 1 || tasks > MOST {
            (0..tasks).for_each(work);
            return;
        }
        let shared = &*self.shared;
        let lent = Work(work);
        // A thread reads this pointer only after it has taken a task of this run, and this function does not return,
        // nor unwind, before every task taken is finished: the closure outlives every use of it.
        shared.work.store(std::ptr::from_ref(&lent).cast::<Work<'static>>().cast_mut(), Ordering::Relaxed);
        shared.finished.store(0, Ordering::Relaxed);
        shared.failed.store(false, Ordering::Relaxed);
        let run = (shared.ticket.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        shared.ticket.store(run << 32 | (tasks as u64) << 16, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            let _gate = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
            shared.bell.notify_all();
        }
        let mut mine = Ok(());
        while let Some(task) = shared.take(run) {
            if mine.is_ok() {
                mine = catch_unwind(AssertUnwindSafe(|| work(task)));
            }
            shared.finished.fetch_add(1, Ordering::Release);
        }
        let mut looks = 0_u32;
        while shared.finished.load(Ordering::Acquire) < tasks {
            looks += 1;
            // Somebody else may need this core to finish.
            if looks.is_multiple_of(LOOKS) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
        if let Err(panic) = mine {
            resume_unwind(panic);
        }
        assert!(!shared.failed.load(Ordering::Relaxed), "a kernel's thread panicked");
    }

    /// Hands out a slice in pieces of `size`, each with its number.
    pub fn chunks<T: Send>(&mut self, data: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        let (length, size) = (data.len(), size.max(1));
        let data = Shareable(data.as_mut_ptr());
        self.run(length.div_ceil(size), &|task| {
            let start = task * size;
            // Pieces do not overlap, and each task gets one that no other gets.
            let piece =
                unsafe { std::slice::from_raw_parts_mut(data.get().add(start), size.min(length - start)) };
            work(task, piece);
        });
    }
}

/// A pointer that threads may share, because they write to different places behind it.
#[derive(Clone, Copy)]
pub(crate) struct Shareable<T>(pub(crate) *mut T);

// Its users hand disjoint ranges to the threads.
unsafe impl<T: Send> Send for Shareable<T> {}
unsafe impl<T: Send> Sync for Shareable<T> {}

impl<T> Shareable<T> {
    pub(crate) fn get(&self) -> *mut T {
        self.0
    }
}

impl Shared {
    /// The next task of a run, unless it has ended or all are taken.
    fn take(&self, run: u64) -> Option<usize> {
        let mut ticket = self.ticket.load(Ordering::Acquire);
        loop {
            let (tasks, next) = (ticket >> 16 & 0xffff, ticket & 0xffff);
            if ticket >> 32 != run & 0xffff_ffff || next >= tasks {
                return None;
            }
            match self.ticket.compare_exchange_weak(ticket, ticket + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(next as usize),
                Err(now) => ticket = now,
            }
        }
    }

    fn serve(&self) {
        let mut seen = 0;
        loop {
            let Some(run) = self.wait(seen) else { return };
            seen = run;
            while let Some(task) = self.take(run) {
                // The task is taken and not finished, so its run has not ended: see `Pool::run`.
                let work = unsafe { &*self.work.load(Ordering::Relaxed) };
                if catch_unwind(AssertUnwindSafe(|| (work.0)(task))).is_err() {
                    self.failed.store(true, Ordering::Relaxed);
                }
                self.finished.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// The number of a run other than `seen`; `None` when the pool ends.
    fn wait(&self, seen: u64) -> Option<u64> {
        let fresh = || {
            let run = self.ticket.load(Ordering::SeqCst) >> 32;
            (run != seen).then_some(run)
        };
        for _ in 0..LOOKS {
            if let Some(run) = fresh() {
                return Some(run);
            }
            std::hint::spin_loop();
        }
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let found = loop {
            if self.ending.load(Ordering::SeqCst) {
                break None;
            }
            if let Some(run) = fresh() {
                break Some(run);
            }
            gate = self.bell.wait(gate).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        found
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        {
            let _gate = self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.bell.notify_all();
        }
        for thread in self.threads.drain(..) {
            // It catches its panics; there is nothing to learn from it.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_however_many_runs_follow_each_other() {
        let mut pool = Pool::new(3, Isa::detect()).unwrap();
        for run in 0..2_000_usize {
            let counts: Vec<AtomicUsize> = (0..run % 50).map(|_| AtomicUsize::new(0)).collect();
            pool.run(counts.len(), &|task| {
                counts[task].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            if run % 500 == 0 {
                // Long enough for the threads to fall asleep.
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn pieces_of_a_slice_are_disjoint_and_whole() {
        let mut pool = Pool::new(2, Isa::detect()).unwrap();
        let mut data = vec![0_usize; 1_001];
        pool.chunks(&mut data, 10, |task, piece| piece.iter_mut().for_each(|it| *it += task + 1));
        assert!(data.iter().enumerate().all(|(at, value)| *value == at / 10 + 1));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let mut pool = Pool::new(2, Isa::detect()).unwrap();
        let failed = catch_unwind(AssertUnwindSafe(|| pool.run(64, &|task| assert!(task != 33))));
        assert!(failed.is_err());
        let done = AtomicUsize::new(0);
        pool.run(64, &|_| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.load(Ordering::Relaxed), 64);
    }
}
