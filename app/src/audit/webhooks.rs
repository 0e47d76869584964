//! `/audit/webhooks`: who is told of certificates and alarms, and what became of each message.

use super::{natural, tabs};
use crate::document::Reader;
use crate::i18n::{audit as w, moment};
use concord_domain::{Delivery, Error, NewWebhook, Notice, Webhook};
use leptos::prelude::*;

/// What the page shows.
#[derive(Debug, Default)]
pub struct WebhooksPage {
    /// Registered addresses.
    pub webhooks: Vec<Webhook>,
    /// The newest messages.
    pub deliveries: Vec<Delivery>,
    /// The address that was registered just now, with its secret.
    pub added: Option<Webhook>,
    /// What was entered when it was refused, and why.
    pub refused: Option<(NewWebhook, Error)>,
}

/// The page.
#[must_use]
pub fn webhooks(reader: &Reader, page: &WebhooksPage) -> String {
    let t = reader.words();
    reader.render(t(w::WEBHOOKS), || {
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::WEBHOOKS)}</h1>{tabs(reader, "/audit/webhooks")}</div>
                {page.added.as_ref().map(|it| secret(reader, it))}
                <section class="card stack">
                    <p class="quiet">{t(w::WEBHOOKS_HINT)}</p>
                    {registered(reader, &page.webhooks)}
                    {register(reader, page.refused.as_ref())}
                </section>
                {deliveries(reader, page)}
            </div>
        }
        .into_any()
    })
}

/// The secret of a new address, this once.
fn secret(reader: &Reader, of: &Webhook) -> AnyView {
    let t = reader.words();
    view! {
        <section class="card stack" role="status">
            <h2>{t(w::SECRET)}</h2>
            <p>{t(w::SECRET_HINT)} " " <b class="judge-name">{of.url.clone()}</b></p>
            <pre class="command" tabindex="0" data-testid="webhook-secret">{of.secret.clone()}</pre>
        </section>
    }
    .into_any()
}

fn registered(reader: &Reader, all: &[Webhook]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    if all.is_empty() {
        return view! { <p>{t(w::NO_WEBHOOKS)}</p> }.into_any();
    }
    let rows = all.iter().map(|it| {
        let button = |action: &str, words: &'static str| {
            view! { <form method="post" action=format!("/audit/webhooks/{}/{action}", it.id)><button>{words}</button></form> }
        };
        view! {
            <tr data-testid="webhook">
                <th scope="row" class="judge-name">{it.url.clone()}
                    <div class="quiet small">{it.by.clone()} " · " {moment(lang, it.at)}</div></th>
                <td class="small">{it.events.join(", ")}</td>
                <td class="number">{natural(it.delivered)}</td><td class="number">{natural(it.waiting)}</td>
                <td class="number">{natural(it.failed)}</td>
                <td><div class="row">{button("ping", t(w::PING))}{button("remove", t(w::REMOVE))}</div></td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <div class="table-frame" tabindex="0"><table>
            <thead><tr><th scope="col">{t(w::ADDRESS)}</th><th scope="col">{t(w::TOLD_OF)}</th>
                <th scope="col" class="number">{t(w::DELIVERED)}</th><th scope="col" class="number">{t(w::WAITING)}</th>
                <th scope="col" class="number">{t(w::GIVEN_UP)}</th><th scope="col">{t(w::ACTIONS)}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn register(reader: &Reader, refused: Option<&(NewWebhook, Error)>) -> AnyView {
    let t = reader.words();
    let entered = refused.map(|(new, _)| new);
    let trouble = refused.map(|(_, error)| {
        let words = crate::error::ApiError::from(error.clone()).words(reader.lang());
        view! { <p class="form-error" role="alert">{words}</p> }
    });
    let boxes = Notice::ALL.map(|notice| {
        let name = notice.as_str();
        let on = entered.is_none_or(|it| it.events.iter().any(|event| event == name));
        view! { <label class="choice"><input type="checkbox" name="event" value=name checked=on/><code>{name}</code></label> }
    });
    let url = entered.map(|it| it.url.clone()).unwrap_or_default();
    view! {
        <form method="post" action="/audit/webhooks" class="stack" data-testid="webhook-form">
            {trouble}
            <label class="field"><span>{t(w::ADDRESS)}</span>
                <input type="text" inputmode="url" name="url" required maxlength="2000" placeholder="https://example.org/hook" value=url/></label>
            <fieldset class="choices"><legend>{t(w::TOLD_OF)}</legend>{boxes.collect_view()}</fieldset>
            <p><button class="primary">{t(w::REGISTER)}</button></p>
        </form>
    }
    .into_any()
}

fn deliveries(reader: &Reader, page: &WebhooksPage) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let rows = page.deliveries.iter().map(|it| {
        let url = page.webhooks.iter().find(|hook| hook.id == it.webhook).map(|hook| hook.url.clone());
        let class = if it.state == "failed" { "state bad" } else { "state" };
        let state = t(match it.state.as_str() {
            "delivered" => w::DELIVERED,
            "failed" => w::GIVEN_UP,
            _ => w::WAITING,
        });
        let status = it.status.map(|status| status.to_string()).unwrap_or_default();
        view! {
            <tr data-testid="delivery">
                <td class="nowrap">{moment(lang, it.at)}</td><td><code>{it.event.clone()}</code></td>
                <td class="judge-name small">{url}</td>
                <td><span class=class>{state}</span></td><td class="number">{it.attempts}</td>
                <td class="small">{status} " " {it.error.clone()}</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    let body = if page.deliveries.is_empty() {
        view! { <p class="quiet">{t(w::NO_DELIVERIES)}</p> }.into_any()
    } else {
        view! {
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::WHEN)}</th><th scope="col">{t(w::EVENT)}</th><th scope="col">{t(w::ADDRESS)}</th>
                    <th scope="col">{t(w::STATUS)}</th><th scope="col" class="number">{t(w::TRIES)}</th>
                    <th scope="col">{t(w::ANSWER)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    view! { <section class="card" aria-labelledby="deliveries"><h2 id="deliveries">{t(w::DELIVERIES)}</h2>{body}</section> }
        .into_any()
}
