//! The thread of a language model: loads it on the first request, works on many at once, drops it when idle.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use concord_domain::ports::ModelError;
use tokio::sync::oneshot;

use crate::engine::{Engine, Reply, Request};
use crate::queue::{Popped, Queue};
use crate::worker::Options;

/// The handle of a model's thread; dropping it ends the thread after its current pass.
pub(crate) struct Server {
    queue: Arc<Queue<Request>>,
}

impl Server {
    /// Starts the thread; nothing is loaded yet.
    pub(crate) fn start(
        name: &str,
        options: Options,
        load: impl Fn() -> Result<Engine, ModelError> + Send + 'static,
    ) -> Result<Self, ModelError> {
        let queue = Arc::new(Queue::new(options.queue));
        let served = Arc::clone(&queue);
        std::thread::Builder::new()
            .name(format!("model {name}"))
            .spawn(move || serve(&served, options.unload_after, &load))
            .map_err(|error| ModelError::Failed(format!("no thread for the model: {error}")))?;
        Ok(Self { queue })
    }

    /// Has a request answered in its turn; dropping the returned future withdraws it.
    pub(crate) async fn call<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, ModelError> {
        let (reply, answer) = oneshot::channel();
        let request = request(reply);
        let priority = request.priority();
        if let Err(request) = self.queue.push(priority, request) {
            // Withdrawn requests must not keep anybody out.
            self.queue.retain(Request::wanted);
            self.queue.push(priority, request).map_err(|_| ModelError::Overloaded)?;
        }
        answer.await.unwrap_or_else(|_| Err(ModelError::Failed("the model is shutting down".to_owned())))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn serve(
    queue: &Queue<Request>,
    unload_after: Option<Duration>,
    load: &dyn Fn() -> Result<Engine, ModelError>,
) {
    step_back();
    let mut loaded: Option<Engine> = None;
    loop {
        // An unloaded model has nothing to free: wait without a limit. One that works only looks.
        let patience = match &loaded {
            None => None,
            Some(engine) if engine.is_idle() => unload_after,
            Some(_) => Some(Duration::ZERO),
        };
        if loaded.as_ref().is_none_or(Engine::has_room) {
            match queue.pop(patience) {
                Popped::Closed => return,
                Popped::Idle if loaded.as_ref().is_some_and(Engine::is_idle) => {
                    loaded = None;
                    continue;
                }
                Popped::Idle => {}
                Popped::Job(request) => {
                    take(queue, &mut loaded, request, load);
                    // Others may start in the same pass.
                    if queue.has_jobs() && loaded.as_ref().is_some_and(Engine::has_room) {
                        continue;
                    }
                }
            }
        }
        let Some(engine) = &mut loaded else { continue };
        // A panic in a kernel must cost the answers under way, not the thread that all later ones need.
        if catch_unwind(AssertUnwindSafe(|| engine.step())).is_err() {
            engine.fail(&ModelError::Failed("a kernel panicked".to_owned()));
        }
    }
}

/// Starts a request, loading the model first where it is not; puts it back where its memory is not free.
fn take(
    queue: &Queue<Request>,
    loaded: &mut Option<Engine>,
    request: Request,
    load: &dyn Fn() -> Result<Engine, ModelError>,
) {
    if !request.wanted() {
        return;
    }
    if loaded.is_none() {
        let fresh = catch_unwind(AssertUnwindSafe(load))
            .unwrap_or_else(|_| Err(ModelError::Failed("loading the model panicked".to_owned())));
        match fresh {
            Ok(engine) => *loaded = Some(engine),
            Err(error) => return request.refuse(error),
        }
    }
    let Some(engine) = loaded else { return };
    let priority = request.priority();
    match catch_unwind(AssertUnwindSafe(|| engine.admit(request))) {
        Ok(None) => {}
        Ok(Some(request)) if engine.is_idle() => {
            request.refuse(ModelError::BadRequest("it needs more memory than there is".to_owned()));
        }
        Ok(Some(request)) => queue.put_back(priority, request),
        Err(_) => engine.fail(&ModelError::Failed("a request could not be prepared".to_owned())),
    }
}

/// Lets the threads that serve pages go first: this thread and those it starts are scheduled behind them.
pub(crate) fn step_back() {
    const BEHIND: i32 = 5;
    // Where the system refuses, models compete with pages for the cores; nothing else changes.
    if rustix::process::getpriority_process(None).is_ok_and(|nice| nice < BEHIND) {
        let _ = rustix::process::setpriority_process(None, BEHIND);
    }
}
