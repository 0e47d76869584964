//! The left zone: who the user is and what they did, newest first.

use super::criteria::now;
use super::desk::Desk;
use super::state::Event;
use crate::i18n::{day, review as w};
use crate::session::{use_lang, use_words};
use crate::ui::icon::KindIcon;
use concord_domain::{BehaviourKind, HistoryLine, Sample};
use leptos::prelude::*;
use leptos::tachys::view::any_view::AnyView;

/// Things of one line shown at once; the rest unfolds.
const THINGS_SHOWN: usize = 4;

/// The user, the day the history is seen from, and the timeline with the cited lines marked.
#[component]
pub(crate) fn UserZone(sample: Sample, #[prop(optional)] desk: Option<Desk>) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let history = sample.history;
    let profile = sample.user.map(|user| {
        let pairs = user.profile.into_iter().map(|(name, value)| {
            view! { <div><dt>{name}</dt><dd>{value}</dd></div> }
        });
        view! {
            <p class="user-key">{user.key}</p>
            <dl class="profile">{pairs.collect_view()}</dl>
        }
    });
    let nobody = profile.is_none().then(|| view! { <p class="quiet">{t(w::NO_USER)}</p> });
    let read =
        (history.behaviours > 0).then(|| view! { <p class="quiet small">{w::read_of(lang, &history)}</p> });
    let as_of = history.as_of.map(|date| {
        view! { <p class="quiet small">{t(w::AS_OF)} " " <time datetime=date.to_string()>{day(lang, date)}</time></p> }
    });
    let timeline = if history.lines.is_empty() {
        view! { <p class="quiet">{t(w::NO_HISTORY)}</p> }.into_any()
    } else {
        periods(&history.lines, history.as_of, &sample.evidence, desk)
    };
    view! {
        <section class="zone zone-user" aria-labelledby="user-zone">
            <header class="zone-head">
                <h2 id="user-zone" class="zone-title">{t(w::USER_ZONE)}</h2>
                {profile}
                {nobody}
                {as_of}
                {read}
            </header>
            // A region that scrolls must be reachable by keyboard.
            <div class="timeline" tabindex="0" role="group" aria-labelledby="user-zone">{timeline}</div>
        </section>
    }
    .into_any()
}

/// Lines under the words of their newest period; neighbours of one period share a heading.
fn periods(
    lines: &[HistoryLine],
    as_of: Option<jiff::civil::Date>,
    evidence: &[u32],
    desk: Option<Desk>,
) -> AnyView {
    let chinese = use_lang() == concord_domain::Lang::Zh;
    let words = |line: &HistoryLine| {
        line.moments.first().map(|moment| moment.period.words(as_of, chinese)).unwrap_or_default()
    };
    lines
        .chunk_by(|a, b| words(a) == words(b))
        .map(|group| {
            let lines = group
                .iter()
                .map(|line| line_view(line, as_of, evidence.contains(&line.n), desk))
                .collect_view();
            view! { <h3 class="period">{words(&group[0])}</h3><ol class="lines">{lines}</ol> }
        })
        .collect_view()
        .into_any()
}

/// A cited line of a sample that is being answered can be marked as not supporting it.
fn mark_view(desk: Desk, line: u32) -> AnyView {
    let t = use_words();
    let marked = Memo::new(move |_| now(desk, |now| now.unsupported.contains(&line)).unwrap_or(false));
    view! {
        <button type="button" class="mark-evidence" data-testid=format!("unsupported-{line}")
            aria-pressed=move || marked.get().to_string() on:click=move |_| desk.send(Event::Mark(line))>
            {t(w::UNSUPPORTED)}
        </button>
    }
    .into_any()
}

fn line_view(
    line: &HistoryLine,
    as_of: Option<jiff::civil::Date>,
    cited: bool,
    desk: Option<Desk>,
) -> AnyView {
    let (t, lang) = (use_words(), use_lang());
    let chinese = lang == concord_domain::Lang::Zh;
    let kinds = |kinds: &[BehaviourKind]| {
        let each = kinds.iter().map(|kind| {
            view! { <span class="kind"><KindIcon kind=*kind/>{w::kind(lang, *kind)}</span> }
        });
        each.collect_view()
    };
    let first = line.moments.first().map(|moment| kinds(&moment.kinds));
    let earlier = line.moments.iter().skip(1).map(|moment| {
        view! { <span class="earlier">{moment.period.words(as_of, chinese)} " " {kinds(&moment.kinds)}</span> }
    });
    let thing = |text: &str| view! { <li>{text.to_owned()}</li> };
    let shown = line.things.iter().take(THINGS_SHOWN).map(|it| thing(&it.text)).collect_view();
    let rest = line.things.get(THINGS_SHOWN..).filter(|rest| !rest.is_empty()).map(|rest| {
        let things = rest.iter().map(|it| thing(&it.text)).collect_view();
        view! { <details><summary>{format!("+{}", rest.len())}</summary><ul class="things">{things}</ul></details> }
    });
    view! {
        <li class="line" class:cited=cited>
            <span class="line-number">{line.n}</span>
            <div class="line-body">
                <p class="kinds">
                    {first}
                    {cited.then(|| view! { <mark class="cited-mark">{t(w::CITED)}</mark> })}
                    {desk.filter(|_| cited).map(|desk| mark_view(desk, line.n))}
                </p>
                <ul class="things">{shown}</ul>
                {rest}
                {(line.moments.len() > 1).then(|| view! { <p class="kinds quiet">{earlier.collect_view()}</p> })}
            </div>
        </li>
    }
    .into_any()
}
