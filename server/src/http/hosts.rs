//! Which project a request is for: the host that it names. The default project answers at the base host and at
//! addresses of machines, a project at `NAME.BASE`. Once there are projects, a name that is none of these is refused:
//! nobody is to work in the wrong team's data because of a name that leads here too.

use super::problem::Problem;
use crate::project::Project;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};

/// The routers of all projects.
#[derive(Clone, Debug)]
pub struct Hosts {
    base: Arc<str>,
    routers: Arc<RwLock<BTreeMap<Project, Router>>>,
}

impl Hosts {
    /// None yet.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self { base: base.to_lowercase().into(), routers: Arc::default() }
    }

    /// Answers for a project from now on.
    pub fn insert(&self, project: Project, router: Router) {
        self.routers.write().unwrap_or_else(PoisonError::into_inner).insert(project, router);
    }

    /// No longer does.
    pub fn remove(&self, project: &Project) {
        self.routers.write().unwrap_or_else(PoisonError::into_inner).remove(project);
    }

    /// All of it as one router.
    pub fn router(self) -> Router {
        Router::new().fallback_service(self)
    }

    fn find(&self, request: &Request) -> Option<Router> {
        let routers = self.routers.read().unwrap_or_else(PoisonError::into_inner);
        // Probes and metrics are of the process, whatever they call it.
        let of_process = matches!(request.uri().path(), "/healthz" | "/readyz" | "/metrics");
        let asked = match host(request).and_then(|host| project(&host, &self.base)) {
            Some(project) if !of_process => project,
            // One team alone may call its server what it likes, but not what a project would be called: that one may
            // be about to open.
            None if !of_process && routers.len() > 1 => return None,
            _ => Project::default(),
        };
        routers.get(&asked).cloned()
    }
}

/// The host that a request names, without its port.
fn host(request: &Request) -> Option<String> {
    let named = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => request.headers().get(HOST)?.to_str().ok()?,
    };
    let name = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => named,
    };
    Some(name.trim_end_matches('.').to_lowercase())
}

/// The project that a host is of, by its name alone.
fn project(host: &str, base: &str) -> Option<Project> {
    if host == base || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Some(Project::default());
    }
    let name = host.strip_suffix(base)?.strip_suffix('.')?;
    name.parse().ok().filter(|project: &Project| !project.is_default())
}

impl Service<Request<Body>> for Hosts {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.find(&request) {
            Some(router) => Box::pin(router.oneshot(request)),
            None => Box::pin(async { Ok(unknown()) }),
        }
    }
}

fn unknown() -> Response {
    let why = "no project has this host name: ask at NAME.HOST, as `concord project list` says";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", why).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_of_one_project_or_of_none() {
        let of = |host: &str| project(host, "concord.example.org").map(|project| project.to_string());
        assert_eq!(of("concord.example.org").as_deref(), Some("default"));
        assert_eq!(of("10.0.0.7").as_deref(), Some("default"));
        assert_eq!(of("[::1]").as_deref(), Some("default"));
        assert_eq!(of("lab.concord.example.org").as_deref(), Some("lab"));
        for other in [
            "",
            "example.org",
            "labconcord.example.org",
            "a.lab.concord.example.org",
            "default.concord.example.org",
            ".concord.example.org",
            "lab.concord.example.org.evil.example",
            "l%61b.concord.example.org",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn the_host_is_read_without_port_case_and_last_dot() {
        let named = |host: &str| {
            let request =
                Request::builder().uri("/x").header(HOST, host).body(Body::empty()).expect("request");
            super::host(&request)
        };
        assert_eq!(named("Lab.LOCALHOST:3000").as_deref(), Some("lab.localhost"));
        assert_eq!(named("[::1]:3000").as_deref(), Some("[::1]"));
        assert_eq!(named("[::1]").as_deref(), Some("[::1]"));
        assert_eq!(named("lab.localhost.").as_deref(), Some("lab.localhost"));
        let absolute = Request::builder().uri("http://a.localhost/x").header(HOST, "b.localhost");
        let absolute = absolute.body(Body::empty()).expect("request");
        assert_eq!(super::host(&absolute).as_deref(), Some("a.localhost"), "as HTTP has it");
    }
}
