//! Rounds that start by themselves: what users did lately is learnt every so many days.

use super::field;
use crate::document::Reader;
use crate::i18n::{evolve as w, moment};
use concord_domain::{Capability, RoundSchedule};
use leptos::prelude::*;

/// What is set, and the form that changes it.
pub(super) fn schedule(reader: &Reader, of: Option<&RoundSchedule>) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let says = match of {
        None => t(w::NO_SCHEDULE).to_owned(),
        Some(it) => w::scheduled(lang, it.every_days, it.next_at.map(|at| moment(lang, at)).as_deref()),
    };
    let form = reader.viewer.can(Capability::Generate).then(|| form(reader, of));
    view! {
        <section class="card stack" aria-labelledby="schedule">
            <h2 id="schedule">{t(w::SCHEDULE)}</h2>
            <p class="quiet small">{t(w::SCHEDULE_HINT)}</p>
            <p data-testid="schedule">{says}</p>
            {form}
        </section>
    }
    .into_any()
}

fn form(reader: &Reader, of: Option<&RoundSchedule>) -> AnyView {
    let t = reader.words();
    let usual = RoundSchedule::default();
    let now = of.unwrap_or(&usual);
    let days = now.plan.log.as_ref().map_or(14, |log| log.days);
    let off = of.map(|_| {
        view! {
            <form method="post" action="/evolve/schedule">
                <input type="hidden" name="off" value="1"/><button>{t(w::NO_LONGER)}</button></form>
        }
    });
    view! {
        <details><summary>{t(w::SET_SCHEDULE)}</summary>
            <form method="post" action="/evolve/schedule" class="row">
                {field(reader, "every_days", w::EVERY_DAYS, now.every_days, "3650")}
                {field(reader, "days", w::LAST_DAYS, days, "3650")}
                {field(reader, "users", w::USERS, now.plan.users, "100000")}
                {field(reader, "audit_users", w::AUDIT_USERS, now.plan.audit_users, "100000")}
                <button class="primary" data-testid="set-schedule">{t(w::SET_SCHEDULE)}</button>
            </form>
        </details>
        {off}
    }
    .into_any()
}
