//! The registry and the decisions on what serves.

use super::EvolvePage;
use crate::document::Reader;
use crate::i18n::{common as c, evolve as w, moment};
use concord_domain::{Capability, ModelRole, Promotion, TrainedModel};
use leptos::prelude::*;
use uuid::Uuid;

pub(super) fn models(reader: &Reader, page: &EvolvePage) -> AnyView {
    let t = reader.words();
    let body = if page.models.is_empty() {
        view! { <p class="quiet">{t(w::NO_MODELS)}</p> }.into_any()
    } else {
        let rows = page.models.iter().map(|model| row(reader, page, model)).collect_view();
        view! {
            <div class="table-frame" tabindex="0"><table>
                <thead><tr>
                    <th scope="col">{t(w::NAME)}</th><th scope="col">{t(w::ROLE)}</th><th scope="col">{t(w::FROM)}</th>
                    <th scope="col">{t(w::LEARNT)}</th><th scope="col">{t(w::STATE)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    view! { <section class="card stack" aria-labelledby="registry"><h2 id="registry">{t(w::REGISTRY)}</h2>{body}</section> }
        .into_any()
}

fn row(reader: &Reader, page: &EvolvePage, of: &TrainedModel) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let role = match of.place.role {
        ModelRole::Generator => t(w::GENERATOR).to_owned(),
        ModelRole::Judge => {
            format!("{} · {}", t(w::JUDGE), c::task(lang, of.place.task.as_deref().unwrap_or_default()))
        }
    };
    let parent = of.parent.map(|id| named(reader, page, Some(id)));
    let from = parent.unwrap_or_else(|| of.base.clone());
    let loss = match (of.losses.first(), of.losses.last()) {
        (Some(first), Some(last)) => format!("{first:.3} → {last:.3} ({})", of.losses.len()),
        _ => String::new(),
    };
    let export = of.export.map(|id| {
        view! { <div class="small">{t(w::EXPORT)} " " <code>{id.to_string()}</code></div> }
    });
    let stands = if of.standing {
        view! { <span class="state">{t(w::SERVES)}</span> }.into_any()
    } else if reader.viewer.can(Capability::Generate) {
        promote(reader, of)
    } else {
        ().into_any()
    };
    view! {
        <tr data-testid="model">
            <th scope="row">{of.name.clone()}<div class="quiet small">{moment(lang, of.created_at)}</div></th>
            <td>{role}</td><td>{from}</td><td>{export}<div class="quiet small">{loss}</div></td><td>{stands}</td>
        </tr>
    }
    .into_any()
}

/// A judge is compared with the task's current one; a generator by two generations, those of its round if it has one.
fn promote(reader: &Reader, of: &TrainedModel) -> AnyView {
    let t = reader.words();
    let field = |name: &'static str, words| {
        view! { <label class="field">{t(words)}<input name=name pattern="[0-9a-fA-F-]{36}" required/></label> }
    };
    let generations = (of.place.role == ModelRole::Generator)
        .then(|| view! { {field("old", w::OLD_GENERATION)}{field("new", w::NEW_GENERATION)} });
    view! {
        <details><summary>{t(w::PROMOTE)}</summary>
            <form method="post" action=format!("/evolve/models/{}/promote", of.id) class="stack">
                {generations}<button>{t(w::PROMOTE)}</button>
            </form></details>
    }
    .into_any()
}

/// A model's name; nobody's is the model of the settings.
fn named(reader: &Reader, page: &EvolvePage, id: Option<Uuid>) -> String {
    let Some(id) = id else { return reader.words()(w::SETTINGS_MODEL).to_owned() };
    page.models.iter().find(|it| it.id == id).map_or_else(|| id.to_string(), |it| it.name.clone())
}

pub(super) fn decisions(reader: &Reader, page: &EvolvePage) -> AnyView {
    let t = reader.words();
    if page.promotions.is_empty() {
        return view! {
            <section class="card stack" aria-labelledby="decisions"><h2 id="decisions">{t(w::DECISIONS)}</h2>
                <p class="quiet">{t(w::NO_DECISIONS)}</p></section>
        }
        .into_any();
    }
    let rows = page.promotions.iter().map(|it| decided(reader, page, it)).collect_view();
    view! {
        <section class="card stack" aria-labelledby="decisions">
            <h2 id="decisions">{t(w::DECISIONS)}</h2>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr>
                    <th scope="col">{t(w::AT)}</th><th scope="col">{t(w::OUTCOME)}</th><th scope="col">{t(w::MODEL)}</th>
                    <th scope="col">{t(w::REPLACED)}</th><th scope="col">{t(w::WHY)}</th><th scope="col">{t(w::BY)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {roll_back(reader, page)}
        </section>
    }
    .into_any()
}

fn decided(reader: &Reader, page: &EvolvePage, of: &Promotion) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let words = t(match of.kind.as_str() {
        "promote" => w::PROMOTED,
        "refuse" => w::REFUSED,
        _ => w::ROLLED_BACK,
    });
    view! {
        <tr data-testid="decision">
            <th scope="row" class="nowrap">{moment(lang, of.at)}</th><td>{words}</td>
            <td>{named(reader, page, of.model)}</td><td>{named(reader, page, of.replaced)}</td>
            <td class="small">{of.decision.refused.join("; ")}</td><td>{of.by.clone().unwrap_or_default()}</td>
        </tr>
    }
    .into_any()
}

/// A button for each place whose last change was a promotion.
fn roll_back(reader: &Reader, page: &EvolvePage) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    if !reader.viewer.can(Capability::Generate) {
        return ().into_any();
    }
    let mut seen = Vec::new();
    let mut forms = Vec::new();
    for it in page.promotions.iter().filter(|it| it.kind != "refuse") {
        if seen.contains(&&it.place) {
            continue;
        }
        seen.push(&it.place);
        if it.kind != "promote" {
            continue;
        }
        let task = it.place.task.clone().unwrap_or_default();
        let what = match it.place.role {
            ModelRole::Generator => t(w::GENERATOR).to_owned(),
            ModelRole::Judge => format!("{} · {}", t(w::JUDGE), c::task(lang, &task)),
        };
        forms.push(view! {
            <form method="post" action="/evolve/rollback" class="row">
                <input type="hidden" name="role" value=it.place.role.as_str()/><input type="hidden" name="task" value=task/>
                <button data-testid="roll-back">{t(w::ROLL_BACK)} " (" {what} ")"</button>
                <span class="quiet small">{t(w::ROLL_BACK_HINT)}</span>
            </form>
        });
    }
    forms.collect_view().into_any()
}
