//! The reducer, without a browser.

use super::*;
use crate::error::ApiError;
use concord_domain::{
    Answer, Criterion, Error, History, LabelDef, Localised, Phase, Reveal, Rubric, Sample, SampleId, Verdict,
};

fn label(name: &str, pass: bool) -> LabelDef {
    LabelDef { name: name.into(), pass, title: Localised::default() }
}

fn criterion(name: &str) -> Criterion {
    let text = Localised::default;
    let labels = vec![label("pass", true), label("vague", false), label("wrong", false)];
    Criterion {
        name: name.into(),
        title: text(),
        question: text(),
        pass: text(),
        fail: text(),
        labels,
        ordered: false,
        examples: Vec::new(),
    }
}

fn id(n: u128) -> AssignmentId {
    AssignmentId(uuid::Uuid::from_u128(n))
}

fn assignment(n: u128) -> Assignment {
    let sample = Sample {
        id: SampleId(uuid::Uuid::from_u128(n)),
        key: String::new(),
        task: "tag".into(),
        text: format!("sample {n}"),
        lang: "en".into(),
        reason: None,
        stage: None,
        chain: vec![],
        evidence: vec![],
        user: None,
        history: History::default(),
        context: vec![],
    };
    let rubric = Rubric {
        task: "tag".into(),
        version: "1.0".into(),
        name: Localised::default(),
        criteria: vec![criterion("relevance"), criterion("validity")],
    };
    let lease_expires_at = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
    Assignment { id: id(n), sample, rubric, lease_expires_at, assisted: false }
}

fn verdict(label: &str) -> Verdict {
    Verdict {
        criterion: "relevance".into(),
        label: Some(label.into()),
        p_pass: Some(0.9),
        calibrated: false,
        rationale: None,
        judge: "judge 1".into(),
    }
}

fn reveal(verdicts: Vec<Verdict>) -> Reveal {
    Reveal { verdicts, linked: vec![] }
}

fn two() -> State {
    State::new(vec![assignment(1), assignment(2)], MyProgress { today: 0, total: 0, open: 2 })
}

fn side(criterion: usize, pass: bool) -> Event {
    Event::Side { criterion, pass }
}

fn advance(key: &str) -> Event {
    Event::Advance { key: key.into() }
}

fn answer_both(state: &mut State) {
    state.apply(side(0, true));
    state.apply(side(1, false));
}

fn now(state: &State) -> &Current {
    state.current.as_ref().expect("a current sample")
}

#[test]
fn the_same_key_cycles_through_the_labels_of_its_side() {
    let mut state = two();
    for expected in ["vague", "wrong", "vague"] {
        state.apply(side(0, false));
        assert_eq!(now(&state).answers[0].as_deref(), Some(expected));
    }
    assert_eq!(state.apply(side(7, true)), vec![]);
}

#[test]
fn enter_waits_for_every_answer_then_sends_and_reveals() {
    let mut state = two();
    state.apply(side(0, true));
    assert_eq!(state.apply(advance("a")), vec![]);
    assert!(now(&state).nudged);
    state.apply(side(1, true));
    assert_eq!(state.apply(advance("a")), vec![Effect::StoreOutbox, Effect::Flush]);
    assert_eq!(state.outbox[0].submission.phase, Phase::Blind);
    assert_eq!(state.apply(advance("b")), vec![], "a second press sends nothing twice");
    assert_eq!(
        state.apply(Event::Sent { key: "a".into() }),
        vec![Effect::Settled("a".into()), Effect::Reveal(id(1))]
    );
    assert_eq!(state.progress, MyProgress { today: 1, total: 1, open: 1 });
    state.apply(Event::Revealed { id: id(1), reveal: reveal(vec![verdict("wrong")]) });
    assert!(now(&state).revealed());
}

fn revealed() -> State {
    let mut state = two();
    answer_both(&mut state);
    state.apply(advance("a"));
    state.apply(Event::Sent { key: "a".into() });
    state.apply(Event::Revealed { id: id(1), reveal: reveal(vec![verdict("wrong")]) });
    state
}

#[test]
fn keeping_stores_the_same_answers_as_a_revision_and_the_next_sample_is_there() {
    let mut state = revealed();
    state.apply(side(0, false));
    let effects = state.apply(Event::Keep { key: "b".into() });
    let sent = &state.outbox[0].submission;
    assert_eq!((sent.phase, sent.answers[0].label.as_str()), (Phase::Revised, "pass"));
    assert_eq!(state.notice, Notice::Kept);
    assert_eq!(now(&state).assignment.id, id(2));
    assert!(effects.contains(&Effect::Fetch), "the queue is filled up again");
}

#[test]
fn a_changed_answer_is_stored_as_a_revision() {
    let mut state = revealed();
    state.apply(side(0, false));
    assert!(now(&state).changed());
    state.apply(advance("b"));
    assert_eq!(state.outbox[0].submission.answers[0].label, "vague");
    assert_eq!(state.notice, Notice::Revised);
}

#[test]
fn a_sample_without_verdicts_goes_on_calmly() {
    let mut state = two();
    answer_both(&mut state);
    state.apply(advance("a"));
    state.apply(Event::Sent { key: "a".into() });
    state.apply(Event::Revealed { id: id(1), reveal: reveal(vec![]) });
    assert_eq!(state.notice, Notice::NotJudged);
    assert_eq!(now(&state).assignment.id, id(2));
}

#[test]
fn ten_steps_are_undone_and_then_the_last_sample_reopens() {
    let mut state = revealed();
    state.apply(Event::Keep { key: "b".into() });
    state.apply(Event::Sent { key: "b".into() });
    for step in 0..12 {
        state.apply(side(0, step % 2 == 0));
    }
    for _ in 0..12 {
        assert_eq!(state.apply(Event::Undo), vec![Effect::SaveDraft]);
    }
    assert_eq!(now(&state).answers, vec![None, None]);
    assert_eq!(state.apply(Event::Undo), vec![Effect::Reopen(Some(id(1)))]);
    let answers = vec![Answer { criterion: "relevance".into(), label: "pass".into() }];
    state.apply(Event::Reopened { assignment: Box::new(assignment(1)), answers, reveal: reveal(vec![]) });
    assert_eq!(now(&state).answers[0].as_deref(), Some("pass"));
    assert!(now(&state).revealed());
    state.apply(advance("c"));
    assert_eq!(state.outbox[0].submission.phase, Phase::Revised);
    assert_eq!(now(&state).assignment.id, id(2), "the interrupted sample comes back");
}

#[test]
fn a_dead_network_keeps_the_answer_and_the_work_goes_on() {
    let mut state = two();
    answer_both(&mut state);
    state.apply(advance("a"));
    let error = ApiError::Unreachable { unreachable: "down".into() };
    state.apply(Event::SendFailed { key: "a".into(), error });
    assert!(state.offline);
    assert_eq!((state.notice.clone(), state.outbox.len()), (Notice::Waiting, 1));
    state.apply(advance("b"));
    assert_eq!(now(&state).assignment.id, id(2));
    assert_eq!(state.outbox[0].key, "a", "the same key goes out again");
    state.apply(Event::Sent { key: "a".into() });
    assert_eq!((state.offline, state.notice.clone()), (false, Notice::SentLate));
}

#[test]
fn when_the_network_returns_to_an_empty_desk_it_fetches() {
    let mut state = State::new(vec![assignment(1)], MyProgress::default());
    answer_both(&mut state);
    state.apply(advance("a"));
    let error = ApiError::Unreachable { unreachable: "down".into() };
    state.apply(Event::SendFailed { key: "a".into(), error: error.clone() });
    state.apply(advance("b"));
    state.apply(Event::FetchFailed(error));
    assert_eq!(
        state.apply(Event::Sent { key: "a".into() }),
        vec![Effect::Settled("a".into()), Effect::Fetch]
    );
}

#[test]
fn a_full_sample_is_dropped_with_a_word_and_a_refetch_does_not_bring_it_back() {
    let mut state = two();
    answer_both(&mut state);
    state.apply(advance("a"));
    let error = ApiError::Refused(Error::conflict("overlap_full", "full"));
    state.apply(Event::SendFailed { key: "a".into(), error: error.clone() });
    assert_eq!(state.notice, Notice::Trouble(error));
    assert_eq!((now(&state).assignment.id, state.outbox.len()), (id(2), 0));
    state.apply(Event::Fetched(vec![assignment(1), assignment(2), assignment(3)]));
    assert_eq!(state.queue.len(), 1);
    assert_eq!(state.apply(Event::Undo), vec![Effect::Reopen(None)], "nothing was stored");
}

#[test]
fn skipping_fetches_only_after_the_server_took_it_back() {
    let mut state = two();
    let effects = state.apply(Event::Skip { reason: "unsure".into(), escalate: false });
    assert_eq!(effects.last(), Some(&Effect::Skip(id(1), "unsure".into(), false)));
    assert!(!effects.contains(&Effect::Fetch));
    assert_eq!(state.apply(Event::SkipEnded(None)), vec![Effect::Fetch]);
}

#[test]
fn an_assisted_sample_shows_the_verdicts_first_and_is_answered_once() {
    let assisted = Assignment { assisted: true, ..assignment(1) };
    let mut state = State::new(vec![assisted, assignment(2)], MyProgress { today: 0, total: 0, open: 2 });
    assert_eq!(state.opening(), Some(Effect::Reveal(id(1))));
    assert!(now(&state).verdicts().is_empty());
    state.apply(Event::Revealed { id: id(1), reveal: reveal(vec![verdict("wrong")]) });
    assert_eq!(now(&state).verdicts().len(), 1);
    state.apply(side(0, true));
    assert_eq!(state.apply(advance("a")), vec![], "not before every answer is given");
    state.apply(side(1, true));
    state.apply(advance("a"));
    assert_eq!((state.outbox[0].submission.phase, now(&state).assignment.id), (Phase::Revised, id(2)));
    assert_eq!(now(&state).stage, Stage::Blind);
    state.apply(Event::Sent { key: "a".into() });
    assert_eq!(state.progress, MyProgress { today: 1, total: 1, open: 1 });
}

#[test]
fn evidence_is_marked_and_unmarked_and_goes_with_the_answer() {
    let mut cited = assignment(1);
    cited.sample.evidence = vec![3, 8];
    let mut state = State::new(vec![cited], MyProgress::default());
    for line in [3, 8, 3, 5] {
        state.apply(Event::Mark(line));
    }
    assert_eq!(now(&state).unsupported, [8]);
    assert_eq!(now(&state).draft().unsupported, [8]);
    answer_both(&mut state);
    state.apply(advance("a"));
    assert_eq!(state.outbox[0].submission.unsupported, [8]);
    assert_eq!(state.apply(Event::Mark(3)), vec![], "not while it is on its way");
}

#[test]
fn asking_a_lead_gives_the_sample_back_like_a_skip() {
    let mut state = two();
    let effects = state.apply(Event::Skip { reason: "a brand?".into(), escalate: true });
    assert_eq!(effects.last(), Some(&Effect::Skip(id(1), "a brand?".into(), true)));
    assert_eq!((state.notice.clone(), now(&state).assignment.id), (Notice::Escalated, id(2)));
}

#[test]
fn a_draft_and_unsent_answers_come_back_after_a_reload() {
    let mut state = two();
    state.apply(side(1, false));
    state.apply(Event::Comment("hm".into()));
    let draft = now(&state).draft();
    let mut fresh = two();
    fresh.apply(Event::Draft(draft));
    assert_eq!(now(&fresh).answers, vec![None, Some("vague".into())]);
    assert_eq!(now(&fresh).comment, "hm");

    answer_both(&mut state);
    state.apply(advance("a"));
    let mut fresh = two();
    assert_eq!(fresh.apply(Event::Outbox(state.outbox.clone())), vec![Effect::Flush]);
    assert_eq!(now(&fresh).stage, Stage::Sending);
    assert!(fresh.offline, "shown as waiting");
    assert_eq!(fresh.apply(Event::Outbox(state.outbox.clone())), vec![], "found again, it is not sent twice");
    assert_eq!(fresh.outbox.len(), 1);
    fresh.apply(Event::Sent { key: "a".into() });
    assert_eq!((fresh.offline, fresh.notice.clone()), (false, Notice::SentLate));
}

#[test]
fn a_draft_that_is_found_late_does_not_undo_what_was_done_meanwhile() {
    let mut state = two();
    state.apply(side(1, false));
    let draft = now(&state).draft();
    let mut fresh = two();
    fresh.apply(side(0, true));
    fresh.apply(Event::Draft(draft));
    assert_eq!(now(&fresh).answers, vec![Some("pass".into()), None]);
}
