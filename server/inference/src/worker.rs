//! One thread that owns one model: loads it on the first job, drops it when idle.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use concord_domain::ports::{ModelError, Priority};
use tokio::sync::oneshot;

use crate::queue::{Popped, Queue};

/// How a worker runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Jobs that may wait; one more is refused as overloaded.
    pub queue: usize,
    /// The model's memory is freed after this long without a job; `None` keeps it.
    pub unload_after: Option<Duration>,
    /// Threads that compute; `None` is one for each core, or as many as `RAYON_NUM_THREADS` says.
    pub threads: Option<usize>,
    /// Bytes of keys and values a language model may keep.
    pub cache_bytes: usize,
}

impl Options {
    pub(crate) fn threads(&self) -> usize {
        let told = || std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok().filter(|threads| *threads > 0);
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.or_else(told).unwrap_or_else(cores)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 64,
            unload_after: Some(Duration::from_secs(15 * 60)),
            threads: None,
            cache_bytes: 448 << 20,
        }
    }
}

/// Work on a model `M`, with the place its result goes.
trait Job<M>: Send {
    fn wanted(&self) -> bool;
    fn run(self: Box<Self>, model: &mut M);
    fn refuse(self: Box<Self>, error: ModelError);
}

struct Task<F, T> {
    work: F,
    reply: oneshot::Sender<Result<T, ModelError>>,
}

impl<M, F, T> Job<M> for Task<F, T>
where
    F: FnOnce(&mut M, &dyn Fn() -> bool) -> Result<T, ModelError> + Send,
    T: Send,
{
    fn wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(self: Box<Self>, model: &mut M) {
        let Self { work, reply } = *self;
        let wanted = || !reply.is_closed();
        // A panic in a kernel must cost one answer, not the thread that all later ones need.
        let result = catch_unwind(AssertUnwindSafe(|| work(model, &wanted)));
        let result = result.unwrap_or_else(|_| Err(ModelError::Failed("a kernel panicked".to_owned())));
        // Nobody waits any more: the result is nobody's.
        let _ = reply.send(result);
    }

    fn refuse(self: Box<Self>, error: ModelError) {
        let _ = self.reply.send(Err(error));
    }
}

/// The handle of a model's thread; dropping it ends the thread after its current job.
pub(crate) struct Worker<M> {
    queue: Arc<Queue<Box<dyn Job<M>>>>,
}

impl<M: 'static> Worker<M> {
    /// Starts the thread; nothing is loaded yet.
    pub(crate) fn start(
        name: &str,
        options: Options,
        load: impl Fn() -> Result<M, ModelError> + Send + 'static,
    ) -> Result<Self, ModelError> {
        let queue: Arc<Queue<Box<dyn Job<M>>>> = Arc::new(Queue::new(options.queue));
        let served = Arc::clone(&queue);
        std::thread::Builder::new()
            .name(format!("model {name}"))
            .spawn(move || serve(&served, options.unload_after, &load))
            .map_err(|error| ModelError::Failed(format!("no thread for the model: {error}")))?;
        Ok(Self { queue })
    }

    /// Runs work on the model in its turn. `work` is told whether its result is still wanted:
    /// dropping the returned future withdraws the job.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        priority: Priority,
        work: impl FnOnce(&mut M, &dyn Fn() -> bool) -> Result<T, ModelError> + Send + 'static,
    ) -> Result<T, ModelError> {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn Job<M>> = Box::new(Task { work, reply });
        if let Err(job) = self.queue.push(priority, job) {
            // Withdrawn jobs must not keep anybody out.
            self.queue.retain(|job| job.wanted());
            self.queue.push(priority, job).map_err(|_| ModelError::Overloaded)?;
        }
        answer.await.unwrap_or_else(|_| Err(ModelError::Failed("the model is shutting down".to_owned())))
    }
}

impl<M> Drop for Worker<M> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn serve<M>(
    queue: &Queue<Box<dyn Job<M>>>,
    unload_after: Option<Duration>,
    load: &dyn Fn() -> Result<M, ModelError>,
) {
    crate::serving::step_back();
    let mut loaded: Option<M> = None;
    loop {
        // An unloaded model has nothing to free: wait without a limit.
        let patience = if loaded.is_some() { unload_after } else { None };
        let job = match queue.pop(patience) {
            Popped::Closed => return,
            Popped::Idle => {
                loaded = None;
                continue;
            }
            Popped::Job(job) => job,
        };
        if !job.wanted() {
            continue;
        }
        let model = match loaded.take() {
            Some(model) => Ok(model),
            None => catch_unwind(AssertUnwindSafe(load))
                .unwrap_or_else(|_| Err(ModelError::Failed("loading the model panicked".to_owned()))),
        };
        match model {
            Ok(mut model) => {
                job.run(&mut model);
                loaded = Some(model);
            }
            Err(error) => job.refuse(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn counting(options: Options) -> (Worker<usize>, Arc<AtomicUsize>) {
        let loads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&loads);
        let load = move || Ok(counted.fetch_add(1, Ordering::SeqCst));
        (Worker::start("test", options, load).unwrap(), loads)
    }

    #[tokio::test]
    async fn loads_on_the_first_job_and_again_after_an_idle_time() {
        let options =
            Options { queue: 4, unload_after: Some(Duration::from_millis(20)), ..Options::default() };
        let (worker, loads) = counting(options);
        assert_eq!(loads.load(Ordering::SeqCst), 0);
        worker.call(Priority::Batch, |_, _| Ok(())).await.unwrap();
        worker.call(Priority::Batch, |_, _| Ok(())).await.unwrap();
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        tokio::time::sleep(Duration::from_millis(120)).await;
        worker.call(Priority::Batch, |_, _| Ok(())).await.unwrap();
        assert_eq!(loads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_withdrawn_job_never_runs() {
        let (worker, _) = counting(Options { queue: 1, unload_after: None, ..Options::default() });
        let worker = Arc::new(worker);
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let (entered, inside) = tokio::sync::oneshot::channel();
        let busy = Arc::clone(&worker);
        let busy = tokio::spawn(async move {
            let work = move |_: &mut usize, _: &dyn Fn() -> bool| {
                let _ = entered.send(());
                let _ = gate.recv();
                Ok(())
            };
            busy.call(Priority::Batch, work).await
        });
        inside.await.unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&ran);
        let waiting = worker.call(Priority::Batch, move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let mut waiting = Box::pin(waiting);
        assert!(is_pending(&mut waiting).await);
        let refused = worker.call(Priority::Person, |_, _| Ok(())).await;
        assert_eq!(refused, Err(ModelError::Overloaded));
        drop(waiting);
        open.send(()).unwrap();
        busy.await.unwrap().unwrap();
        worker.call(Priority::Batch, |_, _| Ok(())).await.unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_panic_costs_one_answer() {
        let (worker, _) = counting(Options { queue: 4, unload_after: None, ..Options::default() });
        let failed = worker.call(Priority::Batch, |_, _| -> Result<(), _> { panic!("kernel") }).await;
        assert!(matches!(failed, Err(ModelError::Failed(_))));
        worker.call(Priority::Batch, |_, _| Ok(())).await.unwrap();
    }

    /// Polls once; whether the future is still pending.
    async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }
}
