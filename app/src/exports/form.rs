//! The form that builds a policy; what it says stands in the address.

use crate::i18n::{common as c, exports as w, pages as p, samples as s};
use crate::session::{use_lang, use_words};
use concord_domain::{Balance, ExportPolicy, FORMATS, LAYOUTS, TARGETS, TASKS};
use leptos::prelude::*;

fn check(name: &'static str, value: &'static str, words: String, on: bool) -> impl IntoView {
    view! { <label class="choice"><input type="checkbox" name=name value=value checked=on/>{words}</label> }
        .into_any()
}

fn radio(name: &'static str, value: &'static str, words: &'static str, on: bool) -> impl IntoView {
    view! { <label class="choice"><input type="radio" name=name value=value checked=on/>{words}</label> }
        .into_any()
}

fn field(name: &'static str, words: &'static str, value: String, hint: String) -> impl IntoView {
    view! {
        <label class="field"><span>{words}</span><input type="text" inputmode="decimal" name=name value=value placeholder=hint/></label>
    }
    .into_any()
}

/// A number as the form shows it: nothing for one that is off.
fn shown<T: PartialEq + Default + ToString>(value: T) -> String {
    if value == T::default() { String::new() } else { value.to_string() }
}

#[component]
pub(super) fn PolicyForm(now: ExportPolicy, rounds: i64) -> impl IntoView {
    let t = use_words();
    view! {
        <form method="get" action="/exports" class="card stack" aria-labelledby="policy">
            <h2 id="policy">{t(w::POLICY)}</h2>
            <Shape now=now.clone()/>
            <Which now=now.clone() rounds/>
            <Evidence now=now.clone()/>
            <Limits now=now.clone()/>
            {check("redact", "on", t(w::REDACT).into(), now.redact)}
            <p><button data-testid="preview-export">{t(w::PREVIEW)}</button></p>
        </form>
    }
    .into_any()
}

/// What the rows are for, and whose columns they have.
#[component]
fn Shape(now: ExportPolicy) -> impl IntoView {
    let t = use_words();
    let targets = TARGETS.map(|it| {
        let on = now.target == it;
        view! { <option value=it selected=on>{t(w::target(it))}</option> }
    });
    let has = |all: &[String], it: &str| all.iter().any(|known| known == it);
    let layouts = LAYOUTS.map(|it| {
        let words = match it {
            "trl" => "TRL",
            "llama_factory" => "LLaMA-Factory",
            _ => "Axolotl",
        };
        check("layout", it, words.into(), has(&now.layouts, it))
    });
    let formats = FORMATS.map(|it| {
        let words = if it == "jsonl" { "JSON Lines" } else { "Parquet" };
        check("format", it, words.into(), has(&now.formats, it))
    });
    view! {
        <label class="field"><span>{t(w::TARGET)}</span>
            <select name="target">{targets.collect_view()}</select></label>
        <fieldset class="choices row"><legend>{t(w::LAYOUTS)}</legend>{layouts.collect_view()}</fieldset>
        <fieldset class="choices row"><legend>{t(w::FORMATS)}</legend>{formats.collect_view()}</fieldset>
    }
    .into_any()
}

/// Which samples.
#[component]
fn Which(now: ExportPolicy, rounds: i64) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let tasks =
        TASKS.map(|task| check("task", task, c::task(lang, task), now.tasks.iter().any(|it| it == task)));
    let langs = [("en", s::ENGLISH), ("zh", s::CHINESE)]
        .map(|(lang, words)| check("lang", lang, t(words).into(), now.languages.iter().any(|it| it == lang)));
    let numbers: Vec<String> = now.rounds.iter().map(u32::to_string).collect();
    view! {
        <fieldset class="choices row"><legend>{t(p::TASK)} " " <span class="quiet">{t(w::NONE_IS_ALL)}</span></legend>
            {tasks.collect_view()}</fieldset>
        <fieldset class="choices row"><legend>{t(w::LANGUAGES)} " " <span class="quiet">{t(w::NONE_IS_ALL)}</span></legend>
            {langs.collect_view()}</fieldset>
        <div class="filters">
            {field("rounds", t(w::ROUNDS), numbers.join(", "), w::rounds(lang, rounds))}
            {field("rubrics", t(w::RUBRICS), now.rubrics.join(", "), t(w::EMPTY_IS_ALL).into())}
        </div>
    }
    .into_any()
}

/// What decides, and how many must agree.
#[component]
fn Evidence(now: ExportPolicy) -> impl IntoView {
    let t = use_words();
    let nobody = !now.counts("blind") && !now.counts("final");
    view! {
        <fieldset class="choices"><legend>{t(w::EVIDENCE)}</legend>
            {radio("evidence", "blind", t(w::EVIDENCE_BLIND), now.counts("blind") && !now.counts("final"))}
            {radio("evidence", "final", t(w::EVIDENCE_FINAL), now.counts("final"))}
            {radio("evidence", "none", t(w::EVIDENCE_NONE), nobody)}
            {check("evidence", "adjudicated", t(w::ADJUDICATED).into(), now.counts("adjudicated"))}
            {check("evidence", "auto", t(w::AUTO).into(), now.counts("auto"))}
        </fieldset>
        <fieldset class="choices row"><legend>{t(w::MUST_AGREE)}</legend>
            {radio("agreement", "unanimous", t(w::UNANIMOUS), now.agreement == "unanimous")}
            {radio("agreement", "majority", t(w::MAJORITY), now.agreement == "majority")}
        </fieldset>
        <div class="filters">
            {field("min_agreement", t(w::MIN_AGREEMENT), now.min_agreement.map(|it| it.to_string()).unwrap_or_default(), "0.8".into())}
            {field("min_people", t(w::MIN_PEOPLE), now.min_people.to_string(), "1".into())}
        </div>
        {check("require_judge", "on", t(w::REQUIRE_JUDGE).into(), now.require_judge)}
    }
    .into_any()
}

/// Caps, hold-out, seed and balance.
#[component]
fn Limits(now: ExportPolicy) -> impl IntoView {
    let t = use_words();
    let balance = now.balance.unwrap_or_default();
    let usual = Balance::default();
    view! {
        <fieldset class="choices"><legend>{t(w::LIMITS)}</legend>
            <div class="filters">
                {field("cap_user", t(w::CAP_USER), shown(now.cap_user), "80".into())}
                {field("cap_category", t(w::CAP_CATEGORY), shown(now.cap_category), "2".into())}
                {field("hold_out", t(w::HOLD_OUT), shown(now.hold_out), "0.1".into())}
                {field("seed", t(w::SEED), now.seed.to_string(), "0".into())}
            </div>
        </fieldset>
        <fieldset class="choices">
            <legend>{check("balance", "on", t(w::BALANCE).into(), now.balance.is_some())}</legend>
            <div class="filters">
                {field("ratio", t(w::RATIO), balance.ratio.to_string(), usual.ratio.to_string())}
                {field("minority_rounds", t(w::MINORITY_ROUNDS), shown(balance.rounds), t(w::EMPTY_IS_ALL).into())}
                {field("half_life_days", t(w::HALF_LIFE), balance.half_life_days.to_string(), usual.half_life_days.to_string())}
            </div>
        </fieldset>
    }
    .into_any()
}
