//! What may be stored, and when.

use crate::error::OrInternal;
use concord_domain::api::Result;
use concord_domain::{Actor, Answer, Error, Phase, Programme, Rubric, Sample, Submission};
use concord_store::review::{self, AssignmentRow};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

/// The code of a late answer that is not needed.
pub(super) const OVERLAP_FULL: &str = "overlap_full";

/// Whether this phase may be stored now. A late blind answer is taken while a slot is free, even after its
/// lease lapsed; who has seen the verdicts can no longer answer blind.
pub(super) async fn admit(
    conn: &mut PgConnection,
    actor: &Actor,
    row: &AssignmentRow,
    phase: Phase,
) -> Result<()> {
    match (phase, row.state.as_str()) {
        (Phase::Blind, "submitted") => Err(Error::conflict(
            "already_submitted",
            "your blind answers are stored already: revise them after the reveal",
        )),
        (Phase::Blind, state) => {
            // A repeat is of a sample whose verdicts were seen long ago: it says how steady a person is.
            if row.stream != "repeat"
                && (row.assisted || review::has_seen(conn, actor.account, row.sample).await.or_internal()?)
            {
                return Err(Error::conflict(
                    "already_seen",
                    "you have seen this sample's verdicts, so it cannot be labelled blind",
                ));
            }
            hold_slot(conn, row, state).await
        }
        (Phase::Revised, "submitted") if row.revealed => Ok(()),
        (Phase::Revised, state) if row.assisted && row.revealed => hold_slot(conn, row, state).await,
        (Phase::Revised, _) => {
            Err(Error::conflict("not_revealed", "answer blind and look at the verdicts first"))
        }
    }
}

/// A late answer needs its slot again; what holds none is always taken.
async fn hold_slot(conn: &mut PgConnection, row: &AssignmentRow, state: &str) -> Result<()> {
    if state == "leased" || !row.holds_slot() || review::retake(conn, row).await.or_internal()? {
        return Ok(());
    }
    Err(Error::conflict(
        OVERLAP_FULL,
        "other people have labelled this sample meanwhile: your answer is kept as surplus and counted nowhere",
    ))
}

/// A reason in words: trimmed, not empty, and not too long.
pub(crate) fn bounded(reason: &str, most: usize) -> Result<&str> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > most || reason.contains('\0') {
        return Err(Error::invalid("reason", format!("1 to {most} characters, no NUL")));
    }
    Ok(reason)
}

/// Lines that the sample cites, each once.
pub(super) fn check_unsupported(sample: &Sample, lines: &[u32]) -> Result<Vec<i32>> {
    for (place, line) in lines.iter().enumerate() {
        let field = format!("unsupported[{place}]");
        if !sample.evidence.contains(line) {
            return Err(Error::invalid(field, format!("line {line} is not cited by this sample")));
        }
        if lines[..place].contains(line) {
            return Err(Error::invalid(field, format!("line {line} is marked twice")));
        }
    }
    lines
        .iter()
        .map(|line| i32::try_from(*line).map_err(|_| Error::invalid("unsupported", "not a line")))
        .collect()
}

pub(super) fn check_bounds(key: &str, submission: &Submission) -> Result<()> {
    if key.is_empty() || key.len() > 200 || !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Error::invalid("Idempotency-Key", "1 to 200 visible ASCII characters"));
    }
    if submission.comment.as_ref().is_some_and(|text| text.chars().count() > 4000 || text.contains('\0')) {
        return Err(Error::invalid("comment", "at most 4000 characters, no NUL"));
    }
    if submission.seconds.is_some_and(|s| !s.is_finite() || !(0.0..=86_400.0).contains(&s)) {
        return Err(Error::invalid("seconds", "between 0 and 86400"));
    }
    Ok(())
}

/// One answer a criterion, in rubric order: criterion, label, pass.
pub(super) fn check_answers<'a>(
    rubric: &'a Rubric,
    answers: &'a [Answer],
) -> Result<Vec<(&'a str, &'a str, bool)>> {
    for (place, answer) in answers.iter().enumerate() {
        let field = format!("answers[{place}].criterion");
        if rubric.criterion(&answer.criterion).is_none() {
            return Err(Error::invalid(
                field,
                format!("{} is not a criterion of {}", answer.criterion, rubric.task),
            ));
        }
        if answers[..place].iter().any(|other| other.criterion == answer.criterion) {
            return Err(Error::invalid(field, format!("{} is answered twice", answer.criterion)));
        }
    }
    rubric
        .criteria
        .iter()
        .map(|criterion| {
            let answer = answers
                .iter()
                .find(|answer| answer.criterion == criterion.name)
                .ok_or_else(|| Error::invalid("answers", format!("{} is missing", criterion.name)))?;
            let label = criterion.label(&answer.label).ok_or_else(|| {
                let known: Vec<&str> = criterion.labels.iter().map(|label| label.name.as_str()).collect();
                Error::invalid(
                    "answers",
                    format!("{}: {} is none of {}", criterion.name, answer.label, known.join(", ")),
                )
            })?;
            Ok((criterion.name.as_str(), label.name.as_str(), label.pass))
        })
        .collect()
}

pub(super) fn check_programme(programme: &Programme) -> Result<()> {
    if !(1..=20).contains(&programme.overlap) {
        return Err(Error::invalid("overlap", "between 1 and 20"));
    }
    if !(5..=86_400).contains(&programme.lease_seconds) {
        return Err(Error::invalid("lease_seconds", "between 5 and 86400"));
    }
    let shares = [
        ("gold_rate", programme.gold_rate, 0.5),
        ("audit_share", programme.audit_share, 1.0),
        ("repeat_rate", programme.repeat_rate, 0.2),
        ("assisted_rate", programme.assisted_rate, 0.5),
    ];
    for (field, share, most) in shares {
        if !(0.0..=most).contains(&share) {
            return Err(Error::invalid(field, format!("between 0 and {most}")));
        }
    }
    if programme.assisted_rate == 0.0 {
        return Err(Error::invalid("assisted_rate", "above 0; to turn it off set assisted to false"));
    }
    if !(7..=365).contains(&programme.repeat_after_days) {
        return Err(Error::invalid("repeat_after_days", "between 7 and 365"));
    }
    Ok(())
}

pub(super) fn body_hash(submission: &Submission) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(submission).map_err(|error| crate::error::internal(&error))?;
    Ok(Sha256::digest(body).to_vec())
}

/// The labels of `named` answers, one a criterion of the rubric, in its order: place among the answers, and pass.
pub(crate) fn answered(rubric: &Rubric, named: &[(&str, &str)]) -> Result<Vec<(usize, bool)>> {
    let answers: Vec<Answer> = named
        .iter()
        .map(|(criterion, label)| Answer { criterion: (*criterion).to_owned(), label: (*label).to_owned() })
        .collect();
    let checked = check_answers(rubric, &answers)?;
    Ok(checked
        .iter()
        .filter_map(|(criterion, _, pass)| {
            Some((named.iter().position(|(name, _)| name == criterion)?, *pass))
        })
        .collect())
}
