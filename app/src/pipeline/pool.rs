//! `/pipeline/interests`: the preset interest pool, built from the catalogue and edited by people.

use super::tabs;
use crate::document::Reader;
use crate::i18n::{count, pipeline as w, samples as s};
use concord_domain::{Capability, Error, PresetInterest};
use leptos::prelude::*;

/// What the page shows.
#[derive(Debug)]
pub struct PoolPage {
    /// Presets, active ones first.
    pub presets: Vec<PresetInterest>,
    /// How many the last building added.
    pub built: Option<i64>,
    /// What was entered when it was refused, and why.
    pub refused: Option<(String, Error)>,
}

/// The page.
#[must_use]
pub fn pool(reader: &Reader, page: &PoolPage) -> String {
    let t = reader.words();
    let may = reader.viewer.can(Capability::ManageProgramme);
    reader.render(t(w::POOL), || {
        let built = page.built.map(|n| view! { <p role="status">{w::built(reader.lang(), n)}</p> });
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::POOL)}</h1>{tabs(reader, "/pipeline/interests")}</div>
                <section class="card stack">
                    <p class="quiet">{t(w::POOL_HINT)}</p>
                    {built}
                    {may.then(|| forms(reader, page.refused.as_ref()))}
                </section>
                {table(reader, &page.presets, may)}
            </div>
        }
        .into_any()
    })
}

fn forms(reader: &Reader, refused: Option<&(String, Error)>) -> AnyView {
    let t = reader.words();
    let trouble = refused.map(|(_, error)| {
        let words = crate::error::ApiError::from(error.clone()).words(reader.lang());
        view! { <p class="form-error" role="alert">{words}</p> }
    });
    let entered = refused.map(|(entered, _)| entered.clone()).unwrap_or_default();
    view! {
        {trouble}
        <form method="post" action="/pipeline/interests" class="inline-form" aria-label=t(w::ADD)>
            <label class="field"><span>{t(w::NAME)}</span>
                <input type="text" name="name" minlength="2" maxlength="60" required value=entered/></label>
            <label class="field small-field"><span>{t(w::LANGUAGE)}</span>
                <select name="lang"><option value="en">{t(s::ENGLISH)}</option><option value="zh">{t(s::CHINESE)}</option></select></label>
            <button class="primary">{t(w::ADD)}</button>
        </form>
        <form method="post" action="/pipeline/interests/build"><button>{t(w::BUILD)}</button></form>
    }
    .into_any()
}

fn table(reader: &Reader, presets: &[PresetInterest], may: bool) -> AnyView {
    let t = reader.words();
    if presets.is_empty() {
        return view! { <section class="card"><p>{t(w::POOL_EMPTY)}</p></section> }.into_any();
    }
    let active = presets.iter().filter(|it| it.active).count();
    let rows = presets.iter().map(|preset| row(reader, preset, may)).collect_view();
    let n = count(i64::try_from(active).unwrap_or(i64::MAX));
    view! {
        <section class="card" aria-labelledby="pool">
            <h2 id="pool">{n} " " {t(w::ACTIVE)}</h2>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::NAME)}</th><th scope="col">{t(w::LANGUAGE)}</th>
                    <th scope="col">{t(w::FROM)}</th><th scope="col">{t(w::STATE)}</th><th scope="col">{t(w::STEER)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        </section>
    }
    .into_any()
}

fn row(reader: &Reader, preset: &PresetInterest, may: bool) -> AnyView {
    let t = reader.words();
    let from = if preset.category.is_empty() { t(w::PERSON).to_owned() } else { preset.category.join(" > ") };
    let lang = t(if preset.lang == "zh" { s::CHINESE } else { s::ENGLISH });
    let state = t(if preset.active { w::IN_POOL } else { w::OUT });
    let (to, words) = if preset.active { ("false", t(w::TAKE_OUT)) } else { ("true", t(w::BRING_BACK)) };
    let action = format!("/pipeline/interests/{}", preset.id);
    let rename = may.then(|| {
        let action = action.clone();
        let label = format!("{}: {}", t(w::NAME), preset.name);
        view! {
            <form method="post" action=action class="row">
                <input type="text" name="name" minlength="2" maxlength="60" required value=preset.name.clone() aria-label=label/>
                <button>{t(w::RENAME)}</button>
            </form>
        }
    });
    let name = (!may).then(|| preset.name.clone());
    let switch = may.then(|| {
        view! {
            <form method="post" action=action><input type="hidden" name="active" value=to/>
                <button aria-label=format!("{words}: {}", preset.name)>{words}</button></form>
        }
    });
    view! {
        <tr data-testid="preset">
            <th scope="row">{name}{rename}</th><td>{lang}</td><td class="small">{from}</td>
            <td><span class="state">{state}</span></td><td>{switch}</td>
        </tr>
    }
    .into_any()
}
