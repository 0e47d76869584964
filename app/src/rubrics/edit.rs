//! The editor: a rubric as TOML, what is wrong with it, and what publishing it would do.

use super::view::lines;
use crate::document::Reader;
use crate::i18n::{audit as aw, common, rubrics as w};
use concord_domain::{Error, RubricPreview};
use leptos::prelude::*;

/// A text under edit, with what checking or publishing it gave.
#[derive(Debug)]
pub struct Edited {
    /// What was entered, whatever is wrong with it.
    pub text: String,
    /// `None` before it was checked.
    pub checked: Option<Result<RubricPreview, Error>>,
}

/// The editor.
#[must_use]
pub fn edit(reader: &Reader, of: &Edited) -> String {
    let t = reader.words();
    reader.render(t(w::EDIT_TITLE), || {
        let (found, publish) = match &of.checked {
            None => (().into_any(), ().into_any()),
            Some(Err(error)) => (trouble(reader, error), ().into_any()),
            Some(Ok(preview)) => {
                let version = preview.rubric.version.clone();
                let publish = view! {
                    <button class="primary" formaction="/rubrics/publish" data-testid="publish">{t(w::PUBLISH)} " " {version}</button>
                };
                (outlook(reader, preview), publish.into_any())
            }
        };
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::EDIT_TITLE)}</h1></div>
                <p class="small"><a href="/rubrics">"← " {t(w::BACK)}</a></p>
                {found}
                <form method="post" action="/rubrics/check" class="card stack">
                    <p class="quiet">{t(w::EDIT_HINT)}</p>
                    // A text area loses a line break at its very start, so one is put there for it.
                    <label class="field"><span>{t(w::TEXT)}</span><textarea class="source" name="text" rows="28" spellcheck="false" autocomplete="off" data-testid="rubric-text">{format!("\n{}", of.text)}</textarea></label>
                    <div class="buttons">{publish}<button data-testid="check">{t(w::CHECK)}</button></div>
                </form>
            </div>
        }
        .into_any()
    })
}

fn trouble(reader: &Reader, error: &Error) -> AnyView {
    let words = crate::error::ApiError::from(error.clone()).words(reader.lang());
    view! { <p class="form-error" role="alert" data-testid="rubric-error">{words}</p> }.into_any()
}

/// What publishing would do.
fn outlook(reader: &Reader, of: &RubricPreview) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let kind = t(match of.kind.as_str() {
        "first" => w::FIRST,
        "same" => w::SAME,
        "minor" => w::MINOR,
        _ => w::MAJOR,
    });
    let breaks = (!of.breaks.is_empty()).then(|| {
        let all = of.breaks.iter().map(|why| view! { <li>{why.clone()}</li> });
        view! { <h3>{t(w::BREAKS)}</h3><ul class="bullets">{all.collect_view()}</ul> }
    });
    let voids = of.voids.iter().map(|it| {
        let verdict = t(if it.verdict == "pass" { common::PASS } else { common::FAIL });
        view! { <li>{aw::criterion(lang, &it.criterion)} " · " {verdict} " · " <span class="judge-name">{it.judge.clone()}</span></li> }
    });
    let ends = match (of.kind.as_str(), of.voids.is_empty()) {
        ("major", true) => view! { <p>{t(w::VOIDS_NONE)}</p> }.into_any(),
        (_, false) => {
            view! { <p class="warning card" data-testid="voids">{t(w::VOIDS)}</p><ul class="bullets">{voids.collect_view()}</ul> }
                .into_any()
        }
        _ => ().into_any(),
    };
    view! {
        <section class="card stack" data-testid="outlook">
            <p class="conclusion" data-testid="change-kind">{kind}</p>
            {ends}
            <p class="quiet">{w::moving(lang, of.samples)}</p>
            {breaks}
            {lines(reader, &of.diff)}
        </section>
    }
    .into_any()
}
