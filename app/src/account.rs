//! `/account`: one's sessions and tokens, and, for administrators, invitations; `/invitation`: taking one up.
//! Documents: plain forms, no scripts.

use crate::document::Reader;
use crate::i18n::{Text, account as w, common, moment};
use concord_domain::{Capability, Error, Invitation, Role, Token};
use leptos::prelude::*;

/// What the account's page shows.
#[derive(Debug, Default)]
pub struct AccountPage {
    /// How many sessions are open.
    pub sessions: u64,
    /// Tokens that have not ended.
    pub tokens: Vec<Token>,
    /// Invitations that wait; `None` for those who may not invite.
    pub invitations: Option<Vec<Invitation>>,
    /// What was made just now, with its secret.
    pub token: Option<Token>,
    /// Whom a link was made for just now, and the whole link.
    pub link: Option<(String, String)>,
    /// Why a form was refused.
    pub refused: Option<Error>,
}

/// The account's page.
#[must_use]
pub fn account(reader: &Reader, page: &AccountPage) -> String {
    let t = reader.words();
    reader.render(t(w::TITLE), || {
        let refused = page.refused.as_ref().map(|error| trouble(reader, error));
        let token = page.token.as_ref().and_then(|it| it.secret.clone());
        let token =
            token.map(|secret| shown_once(reader, t(w::NEW_TOKEN).to_owned(), secret, "token-secret"));
        let link = page.link.clone();
        let link = link.map(|(email, link)| {
            shown_once(reader, format!("{} {email}", t(w::NEW_LINK)), link, "invitation-link")
        });
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::TITLE)}</h1></div>
                {refused}{token}{link}
                <section class="card stack" aria-labelledby="sessions">
                    <h2 id="sessions">{t(w::SESSIONS)}</h2>
                    <p class="quiet">{t(w::SESSIONS_HINT)}</p>
                    <p>{t(w::OPEN_SESSIONS)} ": " <b data-testid="sessions">{page.sessions}</b></p>
                    <form method="post" action="/account/sign-out">
                        <button data-testid="sign-out-everywhere">{t(w::SIGN_OUT_EVERYWHERE)}</button>
                    </form>
                </section>
                {tokens(reader, &page.tokens)}
                {page.invitations.as_ref().map(|all| invitations(reader, all))}
            </div>
        }
        .into_any()
    })
}

/// The page of an invitation's link.
#[must_use]
pub fn invitation(reader: &Reader, code: &str, of: &Invitation, refused: Option<&Error>) -> String {
    let t = reader.words();
    reader.render(t(w::JOIN_TITLE), || {
        view! {
            <section class="page sign-in">
                <h1>{t(w::JOIN_TITLE)}</h1>
                {refused.map(|error| trouble(reader, error))}
                <p>{of.email.clone()} " · " {t(role(of.role))}</p>
                <form method="post" action="/invitation" class="stack">
                    <input type="hidden" name="code" value=code.to_owned()/>
                    <input type="hidden" autocomplete="username" value=of.email.clone()/>
                    <label class="field"><span>{t(w::PASSWORD)}</span>
                        <input type="password" name="password" required minlength="12" maxlength="200"
                            autocomplete="new-password" data-testid="password"/></label>
                    <button class="primary" data-testid="join">{t(w::JOIN)}</button>
                </form>
                <p class="quiet small">{t(w::JOIN_HINT)}</p>
            </section>
        }
        .into_any()
    })
}

/// The page of a link that does not work.
#[must_use]
pub fn no_invitation(reader: &Reader) -> String {
    let t = reader.words();
    reader.render(t(w::JOIN_TITLE), || {
        view! {
            <section class="page sign-in"><h1>{t(w::JOIN_TITLE)}</h1>
                <p class="form-error" role="alert">{t(w::NO_INVITATION)}</p></section>
        }
        .into_any()
    })
}

fn trouble(reader: &Reader, error: &Error) -> AnyView {
    let words = crate::error::ApiError::from(error.clone()).words(reader.lang());
    view! { <p class="form-error" role="alert">{words}</p> }.into_any()
}

fn shown_once(reader: &Reader, title: String, secret: String, testid: &'static str) -> AnyView {
    let t = reader.words();
    view! {
        <section class="card stack" role="status">
            <h2>{title}</h2>
            <p>{t(w::SHOWN_ONCE)}</p>
            <pre class="command" tabindex="0" data-testid=testid>{secret}</pre>
        </section>
    }
    .into_any()
}

fn role(role: Role) -> Text {
    match role {
        Role::Annotator => common::ROLE_ANNOTATOR,
        Role::Lead => common::ROLE_LEAD,
        Role::Admin => common::ROLE_ADMIN,
    }
}

fn tokens(reader: &Reader, all: &[Token]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let when = |at: Option<jiff::Timestamp>| at.map_or_else(|| t(w::NEVER).to_owned(), |at| moment(lang, at));
    let rows = all.iter().map(|it| {
        let scopes: Vec<&str> = it.scopes.iter().map(|scope| scope.as_str()).collect();
        let scopes = if scopes.is_empty() { t(w::ALL_SCOPES).to_owned() } else { scopes.join(", ") };
        view! {
            <tr data-testid="token">
                <th scope="row">{it.name.clone()}</th><td class="small">{scopes}</td>
                <td class="nowrap">{moment(lang, it.created_at)}</td><td class="nowrap">{when(it.expires_at)}</td>
                <td class="nowrap">{when(it.used_at)}</td>
                <td><form method="post" action=format!("/account/tokens/{}/revoke", it.id)><button>{t(w::REVOKE)}</button></form></td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    let table = if all.is_empty() {
        view! { <p>{t(w::NO_TOKENS)}</p> }.into_any()
    } else {
        view! {
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::NAME)}</th><th scope="col">{t(w::SCOPES)}</th><th scope="col">{t(w::MADE)}</th>
                    <th scope="col">{t(w::ENDS)}</th><th scope="col">{t(w::USED)}</th><th scope="col">{t(w::ACTIONS)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    view! {
        <section class="card stack" aria-labelledby="tokens">
            <h2 id="tokens">{t(w::TOKENS)}</h2>
            <p class="quiet">{t(w::TOKENS_HINT)}</p>
            {table}
            {make_token(reader)}
        </section>
    }
    .into_any()
}

fn make_token(reader: &Reader) -> AnyView {
    let t = reader.words();
    let may = |capability: &Capability| reader.viewer.can(*capability);
    let boxes = Capability::ALL.into_iter().filter(may).map(|capability| {
        let name = capability.as_str();
        view! { <label class="choice"><input type="checkbox" name="scope" value=name/><code>{name}</code></label> }
    });
    view! {
        <form method="post" action="/account/tokens" class="stack" data-testid="token-form">
            <label class="field"><span>{t(w::NAME)}</span><input type="text" name="name" required maxlength="100"/></label>
            <fieldset class="choices"><legend>{t(w::SCOPES)}</legend>{boxes.collect_view()}</fieldset>
            <p class="quiet small">{t(w::SCOPES_NONE)}</p>
            <label class="field"><span>{t(w::DAYS)}</span><input type="number" name="days" min="1" max="3650" value="90"/></label>
            <p><button class="primary">{t(w::MAKE_TOKEN)}</button></p>
        </form>
    }
    .into_any()
}

fn invitations(reader: &Reader, all: &[Invitation]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let rows = all.iter().map(|it| {
        view! {
            <tr data-testid="invitation">
                <th scope="row">{it.email.clone()}</th><td>{t(role(it.role))}</td>
                <td class="nowrap">{moment(lang, it.created_at)}</td><td class="nowrap">{moment(lang, it.expires_at)}</td>
                <td><form method="post" action=format!("/account/invitations/{}/withdraw", it.id)><button>{t(w::WITHDRAW)}</button></form></td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    let table = if all.is_empty() {
        view! { <p>{t(w::NO_INVITATIONS)}</p> }.into_any()
    } else {
        view! {
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::EMAIL)}</th><th scope="col">{t(w::ROLE)}</th><th scope="col">{t(w::MADE)}</th>
                    <th scope="col">{t(w::ENDS)}</th><th scope="col">{t(w::ACTIONS)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    let roles = Role::ALL.map(|it| view! { <option value=it.as_str()>{t(role(it))}</option> });
    view! {
        <section class="card stack" aria-labelledby="invitations">
            <h2 id="invitations">{t(w::INVITATIONS)}</h2>
            <p class="quiet">{t(w::INVITATIONS_HINT)}</p>
            {table}
            <form method="post" action="/account/invitations" class="filters" data-testid="invitation-form">
                <label class="field"><span>{t(w::EMAIL)}</span><input type="email" name="email" required maxlength="254"/></label>
                <label class="field"><span>{t(w::ROLE)}</span><select name="role">{roles.into_iter().collect_view()}</select></label>
                <button class="primary">{t(w::INVITE)}</button>
            </form>
        </section>
    }
    .into_any()
}
