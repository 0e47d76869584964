//! One running request: what it has read, and what it still has to read or write.

use std::time::Instant;

use concord_domain::ports::{GenerateRequest, Generated, ModelError, Priority, Score, ScoreRequest, Scored};
use concord_kernels::{BLOCK, KvBlock};
use std::sync::atomic::Ordering;

use super::{Counters, Engine, Reply, Request, softmax_first};
use crate::cache::{Cache, Lease};
use crate::decode::{Next, Writer, check_limit};
use crate::sampler::Sampler;
use crate::vocabulary::Vocabulary;

/// Questions of one request that are read at once.
const MOST_LANES: usize = 8;

/// One sequence of tokens.
pub(super) struct Lane {
    pub(super) tokens: Vec<u32>,
    /// Tokens read, those that the cache knew included.
    pub(super) done: usize,
    pub(super) known: usize,
    /// Of the tokens, as many as the cache may know.
    pub(super) most: usize,
    pub(super) lease: Lease,
    /// Whether what it reads joins the tree: a question does not, it branches off.
    pub(super) is_shareable: bool,
}

impl Lane {
    /// Tokens still to be read.
    pub(super) fn waiting(&self) -> usize {
        self.tokens.len() - self.done
    }

    /// Before the first own token is read: somebody may have read the same meanwhile.
    pub(super) fn look_again(&mut self, cache: &mut Cache, new: &dyn Fn() -> KvBlock) {
        cache.renew(&mut self.lease, &self.tokens, self.most, new);
        self.known = self.lease.known;
        self.done = self.known;
    }

    /// Whether another lane, which has read `done` of its tokens, is about to read a block that this one needs too.
    pub(super) fn follows(&self, tokens: &[u32], done: usize) -> bool {
        let common = tokens.iter().zip(&self.tokens[..self.most]).take_while(|(a, b)| a == b).count();
        common / BLOCK * BLOCK > done.max(self.done)
    }
}

/// A request that is being worked on.
pub(super) struct Run {
    work: Work,
    priority: Priority,
    started: Instant,
}

enum Work {
    Write(Box<Writing>),
    Judge(Box<Judging>),
}

struct Writing {
    lane: Lane,
    writer: Writer,
    prompt_tokens: usize,
    constrained: bool,
    complete: Option<Result<(), ModelError>>,
    reply: Option<Reply<Generated>>,
}

/// Several questions on one prefix. The prefix is read once, by a lane of its own; then each question goes on from it.
struct Judging {
    prefix: Option<Lane>,
    prefix_ready: bool,
    questions: Vec<Question>,
    answers: Vec<u32>,
    /// Lanes that may be open at once, and the blocks each may need.
    lanes: usize,
    need: usize,
    prefix_tokens: usize,
    prefilled: usize,
    reply: Option<Reply<Scored>>,
}

struct Question {
    tokens: Vec<u32>,
    lane: Option<Lane>,
    logits: Option<Vec<f32>>,
}

impl Run {
    /// Prepares writing; `None` when its memory cannot be promised now.
    pub(super) fn generate(
        engine: &mut Engine,
        request: &GenerateRequest,
    ) -> Result<Option<Self>, ModelError> {
        let started = Instant::now();
        let mut tokens = engine.vocabulary.prompt(&request.system, &request.user)?.concat();
        let prompt_tokens = tokens.len();
        engine.check_context(prompt_tokens, request.max_tokens)?;
        let sampler = Sampler::new(request.temperature, request.seed);
        let env = engine.vocabulary.env().clone();
        let mut writer = match &request.schema {
            Some(schema) => {
                let grammar = engine.grammars.begin(schema)?;
                check_limit(engine.vocabulary.trie(), &grammar, request.max_tokens)?;
                Writer::document(&env, grammar, sampler, request.max_tokens)
            }
            None => {
                let (allowed, stop) = (engine.writable.clone(), engine.vocabulary.stop());
                Writer::text(&env, allowed, stop, sampler, request.max_tokens)
            }
        };
        // What the grammar forces at the start is read together with the prompt.
        let complete = match writer.begin()? {
            Next::Read(forced) => {
                tokens.extend(forced);
                None
            }
            Next::Done => Some(Ok(())),
        };
        let need = Cache::need(prompt_tokens + request.max_tokens);
        let most = tokens.len() - 1;
        let Some(lane) = engine.begin(tokens, most, need) else { return Ok(None) };
        let constrained = request.schema.is_some();
        let writing = Writing { lane, writer, prompt_tokens, constrained, complete, reply: None };
        Ok(Some(Self { work: Work::Write(Box::new(writing)), priority: request.priority, started }))
    }

    /// Prepares judging; `None` when its memory cannot be promised now.
    pub(super) fn score(engine: &mut Engine, request: &ScoreRequest) -> Result<Option<Self>, ModelError> {
        let started = Instant::now();
        let answers = engine.first_tokens(&request.answers)?;
        let ends = |text: &str| text.is_empty() || text.ends_with('\n');
        if request.shared.is_empty() || !ends(&request.shared) || !ends(&request.preamble) {
            return Err(ModelError::BadRequest("what is shared must end with a newline".to_owned()));
        }
        let mut questions = Vec::with_capacity(request.questions.len());
        for question in &request.questions {
            let (preamble, shared) = (&request.preamble, &request.shared);
            let tokens =
                engine.vocabulary.shared_prompt(&request.system, preamble, shared, question)?.concat();
            engine.check_context(tokens.len(), 0)?;
            questions.push(Question { tokens, lane: None, logits: None });
        }
        if questions.is_empty() {
            return Err(ModelError::BadRequest("no question is asked".to_owned()));
        }
        let prefix_tokens = common(&questions);
        let longest = questions.iter().map(|question| question.tokens.len()).max().unwrap_or(0);
        // A lane holds its prefix by the tree's blocks, which the prefix's own promise covers.
        let need = Cache::need(longest - prefix_tokens) + 1;
        let prefix = questions.first().map_or_else(Vec::new, |it| it.tokens[..prefix_tokens].to_vec());
        let shared = Cache::need(prefix_tokens);
        let lanes =
            questions.len().min(MOST_LANES).min(engine.cache.capacity().saturating_sub(shared) / need);
        if lanes == 0 {
            return Err(ModelError::BadRequest(
                "a question does not fit the memory for what is read".to_owned(),
            ));
        }
        let most = prefix.len();
        let Some(prefix) = engine.begin(prefix, most, shared + lanes * need) else { return Ok(None) };
        let judging = Judging {
            prefix_ready: prefix.waiting() == 0,
            prefix: Some(prefix),
            questions,
            answers,
            lanes,
            need,
            prefix_tokens,
            prefilled: 0,
            reply: None,
        };
        Ok(Some(Self { work: Work::Judge(Box::new(judging)), priority: request.priority, started }))
    }

    /// Takes the place of the answer over.
    pub(super) fn reply_to(&mut self, request: Request) {
        match (&mut self.work, request) {
            (Work::Write(writing), Request::Generate(_, reply)) => writing.reply = Some(reply),
            (Work::Judge(judging), Request::Score(_, reply)) => judging.reply = Some(reply),
            // The kind of work follows the kind of request.
            (_, request) => request.refuse(ModelError::Failed("the request changed its kind".to_owned())),
        }
    }

    pub(super) fn priority(&self) -> Priority {
        self.priority
    }

    pub(super) fn wanted(&self) -> bool {
        match &self.work {
            Work::Write(writing) => writing.reply.as_ref().is_some_and(|reply| !reply.is_closed()),
            Work::Judge(judging) => judging.reply.as_ref().is_some_and(|reply| !reply.is_closed()),
        }
    }

    /// Whether its prompt has been read.
    pub(super) fn is_writing(&self) -> bool {
        matches!(&self.work, Work::Write(writing) if writing.lane.done >= writing.prompt_tokens)
    }

    /// Its open lanes.
    pub(super) fn lanes_mut(&mut self) -> Vec<&mut Lane> {
        match &mut self.work {
            Work::Write(writing) => vec![&mut writing.lane],
            Work::Judge(judging) => {
                let Judging { prefix, prefix_ready, questions, .. } = &mut **judging;
                match prefix_ready {
                    false => prefix.iter_mut().collect(),
                    true => questions.iter_mut().filter_map(|it| it.lane.as_mut()).collect(),
                }
            }
        }
    }

    pub(super) fn lane_mut(&mut self, place: usize) -> Option<&mut Lane> {
        self.lanes_mut().into_iter().nth(place)
    }

    pub(super) fn lane(&self, place: usize) -> Option<&Lane> {
        match &self.work {
            Work::Write(writing) => Some(&writing.lane),
            Work::Judge(judging) if !judging.prefix_ready => judging.prefix.as_ref(),
            Work::Judge(judging) => judging.questions.iter().filter_map(|it| it.lane.as_ref()).nth(place),
        }
    }

    /// The answers' tokens, of a request that judges.
    pub(super) fn answers(&self) -> Option<&[u32]> {
        match &self.work {
            Work::Judge(judging) => Some(&judging.answers),
            Work::Write(_) => None,
        }
    }

    /// Whether the lane it reads is that of the shared prefix.
    pub(super) fn is_prefix(&self) -> bool {
        matches!(&self.work, Work::Judge(judging) if !judging.prefix_ready)
    }

    /// Starts questions once their prefix has been read, as many as fit.
    pub(super) fn open_lanes(&mut self, cache: &mut Cache, new: &dyn Fn() -> KvBlock) {
        let Work::Judge(judging) = &mut self.work else { return };
        let Some(prefix) = &judging.prefix else { return };
        // Somebody else may have read all of it.
        judging.prefix_ready |= prefix.waiting() == 0;
        if !judging.prefix_ready {
            return;
        }
        let mut open = judging.questions.iter().filter(|question| question.lane.is_some()).count();
        for question in &mut judging.questions {
            if open >= judging.lanes || question.lane.is_some() || question.logits.is_some() {
                continue;
            }
            let lease = cache.branch(&prefix.lease, judging.prefix_tokens, judging.need, new);
            let tokens = question.tokens.clone();
            let known = judging.prefix_tokens;
            judging.prefilled += tokens.len() - known;
            question.lane = Some(Lane { done: known, known, most: 0, tokens, lease, is_shareable: false });
            open += 1;
        }
    }

    /// Takes what a lane of a judging request came to: the prefix has been read, or a question has its logits.
    pub(super) fn scored(&mut self, row: usize, logits: Vec<f32>, cache: &mut Cache) {
        let Work::Judge(judging) = &mut self.work else { return };
        if !judging.prefix_ready {
            judging.prefix_ready = true;
            return;
        }
        let question = judging.questions.iter_mut().filter(|it| it.lane.is_some()).nth(row);
        if let Some(question) = question {
            question.logits = Some(logits);
            if let Some(lane) = question.lane.take() {
                cache.join(&lane.lease);
            }
        }
    }

    /// Goes on writing by the logits behind all tokens so far.
    pub(super) fn write(&mut self, logits: &[f32]) {
        let Work::Write(writing) = &mut self.work else { return };
        if writing.complete.is_some() {
            return;
        }
        writing.complete = match writing.writer.next(logits) {
            Ok(Next::Read(fresh)) => {
                writing.lane.tokens.extend(fresh);
                return;
            }
            Ok(Next::Done) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        };
    }

    pub(super) fn is_complete(&self) -> bool {
        match &self.work {
            Work::Write(writing) => writing.complete.is_some(),
            Work::Judge(judging) => judging.questions.iter().all(|question| question.logits.is_some()),
        }
    }

    /// Answers, and leaves what was read for others.
    pub(super) fn answer(self, cache: &mut Cache, vocabulary: &Vocabulary, counters: &Counters) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match self.work {
            Work::Write(writing) => {
                let Writing { lane, writer, prompt_tokens, constrained, complete, reply } = *writing;
                counters.cached.fetch_add(lane.known as u64, Ordering::Relaxed);
                cache.keep(lane.lease, &lane.tokens[..lane.done]);
                let written = writer.written();
                counters.masks.fetch_add(written.masks as u64, Ordering::Relaxed);
                let nanos = u64::try_from(written.masking.as_nanos()).unwrap_or(u64::MAX);
                counters.mask_nanos.fetch_add(nanos, Ordering::Relaxed);
                let answer = complete.unwrap_or(Ok(())).and_then(|()| {
                    let bytes = vocabulary.trie().decode(&written.tokens);
                    Ok(Generated {
                        text: text(bytes, constrained)?,
                        prompt_tokens,
                        output_tokens: written.tokens.len(),
                        forced_tokens: written.forced,
                        truncated: written.truncated,
                        millis,
                    })
                });
                // Nobody waits any more: the answer is nobody's.
                let _ = reply.map(|reply| reply.send(answer));
            }
            Work::Judge(judging) => {
                let Judging { prefix, questions, prefix_tokens, mut prefilled, reply, .. } = *judging;
                if let Some(prefix) = prefix {
                    counters.cached.fetch_add(prefix.known as u64, Ordering::Relaxed);
                    prefilled += prefix_tokens - prefix.known;
                    cache.keep(prefix.lease, &prefix.tokens);
                }
                let scores = questions.into_iter().map(|question| {
                    let p_first = question.logits.as_deref().and_then(softmax_first);
                    Score { p_first, logits: question.logits, said: None }
                });
                let scored =
                    Scored { scores: scores.collect(), prefix_tokens, prefilled_tokens: prefilled, millis };
                let _ = reply.map(|reply| reply.send(Ok(scored)));
            }
        }
    }

    /// Ends a request that nobody waits for: its blocks are free.
    pub(super) fn abandon(self, cache: &mut Cache) {
        match self.work {
            Work::Write(writing) => cache.release(writing.lane.lease),
            Work::Judge(judging) => {
                let Judging { prefix, questions, .. } = *judging;
                for lane in questions.into_iter().filter_map(|question| question.lane) {
                    cache.join(&lane.lease);
                }
                if let Some(prefix) = prefix {
                    cache.release(prefix.lease);
                }
            }
        }
    }

    /// Answers with an error. What the request held is forgotten by whoever clears the cache.
    pub(super) fn fail(self, error: ModelError) {
        match self.work {
            Work::Write(writing) => drop(writing.reply.map(|reply| reply.send(Err(error)))),
            Work::Judge(judging) => drop(judging.reply.map(|reply| reply.send(Err(error)))),
        }
    }
}

/// Tokens that all questions begin with; of a single one, half: a question has to have something to read.
fn common(questions: &[Question]) -> usize {
    let Some((first, others)) = questions.split_first() else { return 0 };
    if others.is_empty() {
        return first.tokens.len() / 2;
    }
    let alike = |other: &Question| other.tokens.iter().zip(&first.tokens).take_while(|(a, b)| a == b).count();
    let shared = others.iter().map(alike).min().unwrap_or(first.tokens.len());
    let shortest = questions.iter().map(|question| question.tokens.len()).min().unwrap_or(0);
    shared.min(shortest.saturating_sub(1))
}

fn text(bytes: Vec<u8>, constrained: bool) -> Result<String, ModelError> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) if constrained => Err(ModelError::Failed("the document is not UTF-8".to_owned())),
        // Free text may be cut inside a character: that character is dropped.
        Err(error) => Ok(String::from_utf8_lossy(error.as_bytes())
            .trim_end_matches(char::REPLACEMENT_CHARACTER)
            .to_owned()),
    }
}
