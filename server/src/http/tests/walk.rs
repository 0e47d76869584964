//! Every route × every role × every scope: the list of routes is read from the router itself, so that one which
//! stands in no line of [`super::expected`] fails here.

use super::expected::{Line, Needs, lines};
use super::{Answer, App, no_models};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION};
use axum::http::{Request, StatusCode};
use concord_domain::api::Accounts;
use concord_domain::{Capability, NewToken, Role};
use concord_service::accounts::AccountsService;
use concord_service::work::WorkService;
use sqlx::PgPool;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Somebody who asks.
struct Identity {
    role: Role,
    /// A token's scopes; none: a session.
    scopes: Option<Vec<Capability>>,
    credential: String,
}

impl Identity {
    fn may(&self, needs: Needs) -> bool {
        let all = |capabilities: &[Capability]| {
            capabilities
                .iter()
                .all(|it| self.role.can(*it) && self.scopes.as_ref().is_none_or(|scopes| scopes.contains(it)))
        };
        match needs {
            Needs::Nothing | Needs::Anyone => true,
            Needs::May(capabilities) => all(capabilities),
            Needs::Person(capabilities) => self.scopes.is_none() && all(capabilities),
        }
    }

    fn named(&self) -> String {
        match &self.scopes {
            None => format!("{} in a session", self.role.as_str()),
            Some(scopes) if scopes.len() == 1 => {
                format!("{} by token for {}", self.role.as_str(), scopes[0].as_str())
            }
            Some(_) => format!("{} by token", self.role.as_str()),
        }
    }
}

/// Every role in a session, by a token for everything, and by a token for each one thing.
async fn identities(app: &App) -> Vec<Identity> {
    let mut all = Vec::new();
    for role in Role::ALL {
        let email = format!("walk-{}@example.org", role.as_str());
        let password = AccountsService::new_password();
        let account = app.accounts.add_account(&email, role, Some(password.clone())).await.expect("account");
        let each = Capability::ALL.iter().map(|scope| vec![*scope]);
        for scopes in each.chain([Vec::new()]) {
            let new = NewToken { name: "walk".into(), scopes: scopes.clone(), days: Some(1) };
            let secret = app.accounts.new_token(account.id, None, new).await.expect("token").secret;
            let credential = format!("Bearer {}", secret.expect("its secret"));
            let scopes = if scopes.is_empty() { Capability::ALL.to_vec() } else { scopes };
            all.push(Identity { role, scopes: Some(scopes), credential });
        }
        let (_, session) = app.accounts.sign_in(&email, &password, None).await.expect("a session");
        all.push(Identity { role, scopes: None, credential: format!("concord_session={session}") });
    }
    all
}

async fn ask(app: &App, line: &Line, credential: Option<&str>) -> Answer {
    let (method, path, query, body, _) = *line;
    let nil = "00000000-0000-0000-0000-000000000000";
    let path = path.replace("{id}", nil).replace("{sample}", nil).replace("{task}", "tag");
    let path =
        path.replace("{criterion}", "relevance").replace("{version}", "1.0").replace("{kind}", "users");
    let path = path.replace("{name}", "train.jsonl").replace("{user}", "nobody");
    let address = if query.is_empty() { path } else { format!("{path}?{query}") };
    let json = body.starts_with('{') || address.starts_with("/api/");
    let kind = if json { "application/json" } else { "application/x-www-form-urlencoded" };
    let mut request = Request::builder().method(method).uri(&address).header("idempotency-key", "walk");
    request = request.header(CONTENT_TYPE, kind).header(ACCEPT, "application/json");
    if let Some(credential) = credential {
        let name = if credential.starts_with("Bearer") { AUTHORIZATION } else { COOKIE };
        request = request.header(name, credential);
    }
    app.send(request, body).await
}

fn sent_to_sign_in(answer: &Answer) -> bool {
    answer.status == StatusCode::SEE_OTHER
        && answer.headers.get(LOCATION).is_some_and(|to| to.as_bytes().starts_with(b"/sign-in"))
}

/// Ends sessions: asked with one, there is none any more.
fn ends_sessions(path: &str) -> bool {
    matches!(path, "/rpc/sign_out" | "/account/sign-out" | "/api/v1/me/sessions")
}

#[sqlx::test(migrations = "../migrations")]
async fn every_route_lets_in_whom_it_should_and_nobody_else(pool: PgPool) {
    let app = App::with(pool.clone(), Arc::new(WorkService::new(pool.clone(), no_models())));
    let mut conn = pool.acquire().await.expect("connection");
    for rubric in concord_pipeline::rubrics::shipped().expect("rubrics") {
        concord_store::rubrics::add(&mut conn, &rubric).await.expect("stored");
    }
    drop(conn);
    let mut who = identities(&app).await;
    let mut wrong = Vec::new();
    let mut pairs = 0;
    for line in lines().iter().filter(|(_, path, ..)| !ends_sessions(path)) {
        pairs += check(&app, line, &who, &mut wrong).await;
    }
    // Those that end the session they are asked with come last, each with sessions of its own.
    for line in lines().iter().filter(|(_, path, ..)| ends_sessions(path)) {
        pairs += check(&app, line, &who, &mut wrong).await;
        for identity in who.iter_mut().filter(|it| it.scopes.is_none()) {
            let answer =
                ask(&app, &("GET", "/api/v1/me", "", "", Needs::Anyone), Some(&identity.credential)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{} ended the session", line.1);
            let email = format!("walk-{}@example.org", identity.role.as_str());
            let password = AccountsService::new_password();
            app.accounts.set_password(&email, password.clone()).await.expect("set");
            let (_, session) = app.accounts.sign_in(&email, &password, None).await.expect("a session");
            identity.credential = format!("concord_session={session}");
        }
    }
    assert!(wrong.is_empty(), "{} of {pairs} pairs:\n{}", wrong.len(), wrong.join("\n"));
    assert!(pairs > 4000, "{pairs} pairs were tried");
}

/// Asks one route as nobody and as everybody; notes what was let in or kept out wrongly.
async fn check(app: &App, line: &Line, who: &[Identity], wrong: &mut Vec<String>) -> usize {
    let (method, path, _, _, needs) = *line;
    let nobody = ask(app, line, None).await;
    let refused = nobody.status == StatusCode::UNAUTHORIZED || sent_to_sign_in(&nobody);
    let open = matches!(needs, Needs::Nothing);
    // A wrong password is answered 401 too, by the route itself.
    if path != "/rpc/sign_in" && refused == open {
        wrong.push(format!("{method} {path}: nobody got {}", nobody.status));
    }
    for identity in who {
        let answer = ask(app, line, Some(&identity.credential)).await;
        let refused = answer.status == StatusCode::FORBIDDEN;
        let lost = path != "/rpc/sign_in"
            && !ends_sessions(path)
            && (answer.status == StatusCode::UNAUTHORIZED || sent_to_sign_in(&answer));
        let broken = answer.status == StatusCode::INTERNAL_SERVER_ERROR;
        let unreadable =
            matches!(answer.status.as_u16(), 400 | 405 | 415) && !path.starts_with("/invitation");
        if refused == identity.may(needs) || lost || broken || unreadable {
            let body: String = String::from_utf8_lossy(&answer.body).chars().take(120).collect();
            wrong.push(format!("{method} {path}: {} got {} {body}", identity.named(), answer.status));
        }
    }
    who.len() + 1
}

/// What the router holds, as it shows itself: method and path of every route.
fn registered(shown: &str) -> BTreeSet<(String, String)> {
    let (routes, paths) = shown.split_once("node: Node").expect("the router shows its paths");
    let paths = paths.split("fallback_router").next().unwrap_or_default();
    let id = |text: &str| text.split(')').next().and_then(|id| id.parse::<u32>().ok());
    let paths: BTreeMap<u32, String> = paths
        .split("RouteId(")
        .filter_map(|part| Some((id(part)?, part.split('"').nth(1)?.to_owned())))
        .collect();
    let mut found = BTreeSet::new();
    for part in routes.split("RouteId(") {
        let Some(path) = id(part).and_then(|id| paths.get(&id)) else { continue };
        if !part.contains("MethodRouter {") {
            found.insert(("ANY".to_owned(), path.clone()));
            continue;
        }
        for method in ["get", "delete", "patch", "post", "put"] {
            if part.contains(&format!(" {method}: Route"))
                || part.contains(&format!(" {method}: BoxedHandler"))
            {
                found.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    found
}

#[sqlx::test(migrations = "../migrations")]
async fn every_route_of_the_router_stands_in_the_table(pool: PgPool) {
    let app = App::new(pool);
    // Files of the browser's half, for anyone; and /metrics, which has a token of its own (tests/http/operation).
    let files = |path: &str| path.starts_with("/pkg") || matches!(path, "/favicon.svg" | "/metrics");
    let found = registered(&format!("{:?}", app.router));
    let found: BTreeSet<_> = found.into_iter().filter(|(_, path)| !files(path)).collect();
    let known: BTreeSet<_> =
        lines().iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert!(found.len() > 100, "the router shows itself otherwise than it did: {found:?}");
    let untested: Vec<_> = found.difference(&known).collect();
    assert!(untested.is_empty(), "routes that stand in no line of expected.rs: {untested:#?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "lines of expected.rs without a route: {gone:#?}");
}
