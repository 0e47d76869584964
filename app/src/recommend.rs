//! `/recommend`: what would be recommended to somebody, and all that it rests on. Documents.

use crate::document::{Reader, encoded};
use crate::i18n::recommend as w;
use crate::session::use_words;
use concord_domain::{RecommendExplanation, RecommendLink, RecommendTag, Recommendation, Recommendations};
use leptos::prelude::*;

/// Whom to look at.
#[must_use]
pub fn people(reader: &Reader, users: Vec<String>) -> String {
    let t = reader.words();
    reader.render(t(w::RECOMMENDATIONS), || {
        let list = users.into_iter().map(|user| {
            let href = format!("/recommend/{}", encoded(&user));
            view! { <li><a href=href>{user}</a></li> }
        });
        let list = list.collect::<Vec<_>>();
        let list = if list.is_empty() {
            view! { <p>{t(w::NOBODY)}</p> }.into_any()
        } else {
            view! { <ul class="plain">{list}</ul> }.into_any()
        };
        view! {
            <div class="page">
                <h1>{t(w::RECOMMENDATIONS)}</h1>
                <form method="get" action="/recommend" class="filters" role="search">
                    <label class="field"><span>{t(w::USER)}</span><input type="text" name="user" required maxlength="256"/></label>
                    <button class="primary">{t(w::SHOW)}</button>
                </form>
                <section class="card" aria-labelledby="recent"><h2 id="recent">{t(w::RECENT)}</h2>{list}</section>
            </div>
        }
        .into_any()
    })
}

/// One person's recommendations.
#[must_use]
pub fn person(reader: &Reader, it: Recommendations) -> String {
    let t = reader.words();
    let title = format!("{} · {}", it.user, t(w::RECOMMENDATIONS));
    reader.render(&title, || {
        let how = w::how(reader.lang(), &it.asked);
        view! {
            <div class="page">
                <p class="small"><a href="/recommend">"← " {t(w::BACK)}</a></p>
                <h1>{t(w::RECOMMENDATIONS)} ": " {it.user}</h1>
                <p>{how} <span class="quiet small">" (" {it.model.to_string()} ")"</span></p>
                <Items items=it.items tags=it.tags.clone()/>
                <Tags tags=it.tags/>
                <Interests interests=it.interests/>
            </div>
        }
        .into_any()
    })
}

fn html_lang(lang: &str) -> &'static str {
    if lang == "zh" { "zh-CN" } else { "en" }
}

fn linked(link: RecommendLink) -> AnyView {
    view! { <a href=format!("/samples/{}", link.sample) lang=html_lang(&link.lang)>{link.text}</a> }
        .into_any()
}

fn explained(it: RecommendExplanation) -> AnyView {
    let lang = html_lang(&it.lang);
    match it.sample {
        Some(sample) => view! { <a href=format!("/samples/{sample}") lang=lang>{it.text}</a> }.into_any(),
        None => {
            let interest =
                it.interest.map(|interest| view! { <span class="quiet small">" ← " {interest}</span> });
            view! { <span lang=lang>{it.text}</span> {interest} }.into_any()
        }
    }
}

#[component]
fn Interests(interests: Vec<RecommendLink>) -> impl IntoView {
    let t = use_words();
    let list = if interests.is_empty() {
        view! { <p class="quiet">{t(w::NO_INTERESTS)}</p> }.into_any()
    } else {
        let rows = interests.into_iter().map(|it| view! { <li>{linked(it)}</li> });
        view! { <ul class="plain">{rows.collect_view()}</ul> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby="interests"><h2 id="interests">{t(w::INTERESTS)}</h2>{list}</section>
    }
    .into_any()
}

#[component]
fn Tags(tags: Vec<RecommendTag>) -> impl IntoView {
    let t = use_words();
    if tags.is_empty() {
        return view! {
            <section class="card" aria-labelledby="tags"><h2 id="tags">{t(w::TAGS)}</h2><p class="quiet">{t(w::NO_TAGS)}</p></section>
        }
        .into_any();
    }
    let rows = tags.into_iter().map(|tag| {
        let name = match tag.sample {
            Some(sample) => view! { <a href=format!("/samples/{sample}")>{tag.text}</a> }.into_any(),
            None => tag.text.into_any(),
        };
        let unknown =
            (!tag.known).then(|| view! { <span class="quiet small">" · " {t(w::UNKNOWN_TAG)}</span> });
        let interest = tag.interest.map(|it| view! { <span class="quiet">" ← " {it}</span> });
        view! { <li>{name} {interest} {unknown}</li> }
    });
    view! {
        <section class="card" aria-labelledby="tags">
            <h2 id="tags">{t(w::TAGS)}</h2><ul class="plain">{rows.collect_view()}</ul>
        </section>
    }
    .into_any()
}

#[component]
fn Items(items: Vec<Recommendation>, tags: Vec<RecommendTag>) -> impl IntoView {
    let t = use_words();
    if items.is_empty() {
        return view! { <p class="card">{t(w::NO_ITEMS)}</p> }.into_any();
    }
    let rows = (1..).zip(items).map(|(place, item)| row(place, item, &tags)).collect_view();
    view! {
        <div class="table-frame" tabindex="0" role="group" aria-label=t(w::ITEMS)><table data-testid="recommended">
            <thead><tr>
                <th scope="col" class="number">{t(w::PLACE)}</th>
                <th scope="col">{t(w::ITEM)}</th>
                <th scope="col">{t(w::WHY)}</th>
                <th scope="col" class="number">{t(w::SCORE)}</th>
                <th scope="col" class="number" title=t(w::COL_TITLE)>{t(w::COL)}</th>
                <th scope="col" class="number" title=t(w::SEM_TITLE)>{t(w::SEM)}</th>
                <th scope="col">{t(w::TAG)}</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="quiet small">{t(w::COL)} ": " {t(w::COL_TITLE)} ". " {t(w::SEM)} ": " {t(w::SEM_TITLE)} "."</p>
    }
    .into_any()
}

fn row(place: usize, item: Recommendation, tags: &[RecommendTag]) -> AnyView {
    let t = use_words();
    let part = |value: Option<f32>| value.map_or_else(|| "–".to_owned(), |it| format!("{it:.3}"));
    let tag = item.tag.and_then(|at| tags.get(at as usize)).map(|tag| tag.text.clone());
    let category = item.category.last().cloned();
    let why = match item.explanation {
        Some(it) => explained(it),
        None => view! { <span class="quiet">{t(w::NO_EXPLANATION)}</span> }.into_any(),
    };
    view! {
        <tr>
            <td class="number">{place}</td>
            <th scope="row" class="title">{item.title} <span class="quiet small">" " {category}</span></th>
            <td class="wide">{why}</td>
            <td class="number">{format!("{:.3}", item.score)}</td>
            <td class="number">{part(item.col)}</td>
            <td class="number">{part(item.sem)}</td>
            <td>{tag}</td>
        </tr>
    }
    .into_any()
}
