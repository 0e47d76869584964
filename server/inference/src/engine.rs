//! A loaded language model that works on many requests at once.
//!
//! Each [`step`](Engine::step) is one forward pass over rows of all running requests: the next token of those that
//! write, and a piece of the prompt of those that still read. What a row gives does not depend on the others (see
//! `concord_kernels`), so neither batching, nor the cache, nor where a prompt is cut changes an answer by a bit.

mod run;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use concord_domain::ports::{GenerateRequest, Generated, ModelError, Priority, ScoreRequest, Scored};
use concord_kernels::{Isa, Pool};
use llguidance::toktrie::SimpleVob;
use tokio::sync::oneshot;

use crate::cache::Cache;
use crate::gguf::{Gguf, LoadError};
use crate::grammar::Grammars;
use crate::model::{Model, Row, Workspace};
use crate::vocabulary::Vocabulary;
use run::{Lane, Run};

/// Requests worked on at once.
pub(crate) const MOST_RUNNING: usize = 16;

/// Rows of one pass: enough for the kernels to reuse each weight, few enough for others to get their turn.
const ROWS: usize = 256;

/// Of these, rows of prompts of other requests while a person's answer is being written.
const ROWS_BESIDE_A_PERSON: usize = 64;

/// Where an answer goes. The asker has left when its other end is gone.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, ModelError>>;

/// A request with the place of its answer.
pub(crate) enum Request {
    Generate(GenerateRequest, Reply<Generated>),
    Score(ScoreRequest, Reply<Scored>),
}

impl Request {
    pub(crate) fn priority(&self) -> Priority {
        match self {
            Self::Generate(request, _) => request.priority,
            Self::Score(request, _) => request.priority,
        }
    }

    /// Whether somebody still waits for the answer.
    pub(crate) fn wanted(&self) -> bool {
        match self {
            Self::Generate(_, reply) => !reply.is_closed(),
            Self::Score(_, reply) => !reply.is_closed(),
        }
    }

    pub(crate) fn refuse(self, error: ModelError) {
        // Nobody waits any more: the refusal is nobody's.
        match self {
            Self::Generate(_, reply) => drop(reply.send(Err(error))),
            Self::Score(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// What an engine has done, counted while it works.
#[derive(Debug, Default)]
pub struct Counters {
    /// Forward passes.
    pub passes: AtomicU64,
    /// Rows of them: tokens read or written.
    pub rows: AtomicU64,
    /// Tokens of prompts that the cache held.
    pub cached: AtomicU64,
    /// Masks of the grammar, and nanoseconds spent on them.
    pub masks: AtomicU64,
    /// See `masks`.
    pub mask_nanos: AtomicU64,
    /// Bytes of weights that a pass with one row reads.
    pub weight_bytes: AtomicU64,
    /// Bytes of keys and values that may be kept.
    pub cache_bytes: AtomicU64,
}

/// A model with its vocabulary, grammars and cache.
pub(crate) struct Engine {
    model: Model,
    work: Workspace,
    vocabulary: Arc<Vocabulary>,
    grammars: Grammars,
    writable: Arc<SimpleVob>,
    cache: Cache,
    running: Vec<Run>,
    /// A request waits for memory that running ones hold.
    waiting: bool,
    counters: Arc<Counters>,
}

impl Engine {
    /// Loads a model that keeps keys and values in at most `cache_bytes`.
    pub(crate) fn load(
        path: &Path,
        threads: usize,
        cache_bytes: usize,
        counters: Arc<Counters>,
        vocabulary: impl FnOnce(&Gguf) -> Result<Arc<Vocabulary>, LoadError>,
    ) -> Result<Self, LoadError> {
        let mut file = Gguf::open(path)?;
        let vocabulary = vocabulary(&file)?;
        let mut pool = Pool::new(threads, Isa::detect())?;
        let model = Model::load(&mut file, &mut pool)?;
        let grammars = Grammars::new(vocabulary.env()).map_err(|error| LoadError(error.to_string()))?;
        let mut writable = vocabulary.trie().alloc_token_set();
        let tokens = 0..vocabulary.trie().vocab_size() as u32;
        tokens.filter(|token| !vocabulary.is_special(*token)).for_each(|token| writable.allow_token(token));
        vocabulary.stop().iter().for_each(|token| writable.allow_token(*token));
        let blocks = cache_bytes / model.block_bytes();
        if blocks < 4 {
            return Err(LoadError(format!("{cache_bytes} bytes are too little memory for keys and values")));
        }
        counters.weight_bytes.store(model.read_bytes() as u64, Ordering::Relaxed);
        counters.cache_bytes.store((blocks * model.block_bytes()) as u64, Ordering::Relaxed);
        tracing::debug!(threads, kernels = pool.isa().name(), blocks, "engine ready");
        Ok(Self {
            model,
            work: Workspace::new(pool),
            vocabulary,
            grammars,
            writable: Arc::new(writable),
            cache: Cache::new(blocks),
            running: Vec::new(),
            waiting: false,
            counters,
        })
    }

    /// Whether one more request may start.
    pub(crate) fn has_room(&self) -> bool {
        self.running.len() < MOST_RUNNING && !self.waiting
    }

    /// Whether nothing is being worked on.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Starts a request, or answers it at once when it cannot be served; gives it back when the memory it may need
    /// is promised to others for now.
    pub(crate) fn admit(&mut self, request: Request) -> Option<Request> {
        let started = match &request {
            Request::Generate(it, _) => Run::generate(self, it),
            Request::Score(it, _) => Run::score(self, it),
        };
        match started {
            Ok(Some(mut run)) => {
                run.reply_to(request);
                self.running.push(run);
                // Who waits in person goes first in every pass.
                self.running.sort_by_key(|run| std::cmp::Reverse(run.priority()));
                None
            }
            Ok(None) => {
                self.waiting = true;
                Some(request)
            }
            Err(error) => {
                request.refuse(error);
                None
            }
        }
    }

    /// One forward pass for all running requests, and what follows from it.
    pub(crate) fn step(&mut self) {
        let (gone, stay): (Vec<_>, Vec<_>) = self.running.drain(..).partition(|run| !run.wanted());
        self.running = stay;
        self.waiting &= gone.is_empty();
        gone.into_iter().for_each(|run| run.abandon(&mut self.cache));
        self.open_lanes();
        if let Some(reached) = self.pass() {
            self.advance(&reached);
        }
    }

    /// Starts the questions whose shared prefix has been read.
    fn open_lanes(&mut self) {
        let Self { running, cache, model, .. } = self;
        for run in running {
            run.open_lanes(cache, &|| model.new_block());
        }
    }

    /// Reads one batch of rows; returns, for each lane that has read all it has, its run, its place and its row.
    fn pass(&mut self) -> Option<Vec<(usize, usize, usize)>> {
        let parts = self.plan();
        let Self { running, cache, model, work, counters, .. } = self;
        let mut rows = Vec::with_capacity(ROWS);
        let mut reached = Vec::new();
        for (number, place, take) in &parts {
            let lane = running[*number].lane(*place)?;
            for position in lane.done..lane.done + take {
                rows.push(Row { token: lane.tokens[position], position, table: &lane.lease.table });
            }
            if lane.waiting() == *take {
                reached.push((*number, *place, rows.len() - 1));
            }
        }
        if rows.is_empty() {
            return None;
        }
        model.forward(work, cache.blocks(), &rows);
        counters.passes.fetch_add(1, Ordering::Relaxed);
        counters.rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
        for (number, place, take) in parts {
            if let Some(lane) = running[number].lane_mut(place) {
                lane.done += take;
                if lane.is_shareable {
                    cache.share(&mut lane.lease, &lane.tokens[..lane.done]);
                }
            }
        }
        Some(reached)
    }

    /// Who reads how much in the next pass: run, place of the lane, tokens.
    fn plan(&mut self) -> Vec<(usize, usize, usize)> {
        let Self { running, cache, model, .. } = self;
        let person = running.iter().any(|run| run.priority() == Priority::Person && run.is_writing());
        let (mut left, mut beside) = (ROWS, if person { ROWS_BESIDE_A_PERSON } else { ROWS });
        let mut parts = Vec::new();
        // What is being read for somebody else is waited for, not read twice.
        let mut reading: Vec<(Vec<u32>, usize)> = Vec::new();
        // Those that write go first: a row each, while one more prompt costs many.
        for writing in [true, false] {
            for (number, run) in running.iter_mut().enumerate() {
                if run.is_writing() != writing {
                    continue;
                }
                let others = !writing && run.priority() != Priority::Person;
                for (place, lane) in run.lanes_mut().into_iter().enumerate() {
                    if left == 0 {
                        break;
                    }
                    if lane.is_shareable && lane.done == lane.known && lane.waiting() > 0 {
                        lane.look_again(cache, &|| model.new_block());
                        if reading.iter().any(|(tokens, done)| lane.follows(tokens, *done)) {
                            continue;
                        }
                    }
                    let take = lane.waiting().min(if others { left.min(beside) } else { left });
                    if take == 0 {
                        continue;
                    }
                    cache.grow(&mut lane.lease, lane.done + take, &|| model.new_block());
                    left -= take;
                    beside -= if others { take } else { 0 };
                    if lane.is_shareable {
                        reading.push((lane.tokens.clone(), lane.done));
                    }
                    parts.push((number, place, take));
                }
            }
        }
        parts
    }

    /// Gives logits to the lanes that have read all they had, and answers what is complete.
    fn advance(&mut self, reached: &[(usize, usize, usize)]) {
        let Self { running, cache, model, work, counters, .. } = self;
        // The last lane first: a lane that closes moves those behind it.
        for (number, place, row) in reached.iter().rev() {
            if let Some(answers) = running[*number].answers() {
                let logits = match running[*number].is_prefix() {
                    true => Vec::new(),
                    false => model.some_logits(work, &[*row], answers),
                };
                running[*number].scored(*place, logits, cache);
            }
        }
        let writing: Vec<_> =
            reached.iter().filter(|(number, ..)| running[*number].answers().is_none()).collect();
        let rows: Vec<usize> = writing.iter().map(|(_, _, row)| *row).collect();
        let logits = model.logits(work, &rows);
        let width = logits.len() / rows.len().max(1);
        for ((number, ..), logits) in writing.iter().zip(logits.chunks(width.max(1))) {
            running[*number].write(logits);
        }
        let (complete, rest): (Vec<_>, Vec<_>) = running.drain(..).partition(Run::is_complete);
        *running = rest;
        self.waiting &= complete.is_empty();
        for run in complete {
            run.answer(cache, &self.vocabulary, counters);
        }
    }

    /// Refuses everything that runs, as after a panic in a kernel, and forgets what was read.
    pub(crate) fn fail(&mut self, error: &ModelError) {
        for run in self.running.drain(..) {
            run.fail(error.clone());
        }
        self.cache.clear();
        self.waiting = false;
    }

    fn check_context(&self, prompt: usize, answer: usize) -> Result<(), ModelError> {
        let context = self.model.context().min((self.cache.capacity() - 2) * concord_kernels::BLOCK);
        if prompt.saturating_add(answer) > context {
            let why =
                format!("a prompt of {prompt} tokens and {answer} to write exceed the context of {context}");
            return Err(ModelError::BadRequest(why));
        }
        Ok(())
    }

    /// The first token of each answer; they are what is compared, so they must differ.
    fn first_tokens(&self, answers: &[String]) -> Result<Vec<u32>, ModelError> {
        let mut first = Vec::with_capacity(answers.len());
        for answer in answers {
            let token = self.vocabulary.encode(answer)?.first().copied();
            let token = token.ok_or_else(|| ModelError::BadRequest("an answer is empty".to_owned()))?;
            if first.contains(&token) {
                return Err(ModelError::BadRequest(format!("the answers {answers:?} share a first token")));
            }
            first.push(token);
        }
        if first.len() < 2 {
            return Err(ModelError::BadRequest("at least two answers are compared".to_owned()));
        }
        Ok(first)
    }

    /// Starts a lane for tokens of which the cache may know `most`.
    fn begin(&mut self, tokens: Vec<u32>, most: usize, need: usize) -> Option<Lane> {
        let Self { cache, model, .. } = self;
        let lease = cache.begin(&tokens, most, need, &|| model.new_block())?;
        Some(Lane { done: lease.known, known: lease.known, most, tokens, lease, is_shareable: true })
    }
}

/// Probability of the first of several logits among them.
pub(crate) fn softmax_first(logits: &[f32]) -> Option<f64> {
    let first = f64::from(*logits.first()?);
    let total: f64 = logits.iter().map(|logit| (f64::from(*logit) - first).exp()).sum();
    let probability = 1.0 / total;
    probability.is_finite().then_some(probability)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
