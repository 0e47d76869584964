//! Cases that need a lead, and what leads decide.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, Query, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{
    Adjudication, CASES_A_PAGE, CaseDetail, CaseFilter, CasePage, NewAdjudication, SampleId,
};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// A page of cases. Whoever reads them is never given these samples blind.
#[utoipa::path(get, path = "/cases", tag = "adjudication", params(CaseFilter),
    responses((status = 200, body = CasePage), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn cases(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Query(filter): Query<CaseFilter>,
) -> Result<axum::Json<CasePage>, Problem> {
    Ok(axum::Json(state.use_cases.adjudications.cases(&actor, filter, CASES_A_PAGE).await?))
}

/// All there is to decide a case by.
#[utoipa::path(get, path = "/cases/{id}/{criterion}", tag = "adjudication",
    params(("id" = SampleId, Path), ("criterion" = String, Path)),
    responses((status = 200, body = CaseDetail), (status = 404, body = Problem)))]
pub(super) async fn case(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path((sample, criterion)): Path<(SampleId, String)>,
) -> Result<axum::Json<CaseDetail>, Problem> {
    Ok(axum::Json(state.use_cases.adjudications.case(&actor, sample, &criterion).await?))
}

/// One decision, or a list of them: all are stored or none. Who labelled one of the samples blind may not
/// decide on it.
#[utoipa::path(post, path = "/adjudications", tag = "adjudication", request_body = Several,
    responses((status = 201, body = Vec<Adjudication>), (status = 404, body = Problem),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn adjudicate(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(Several(new)): Json<Several>,
) -> Result<(StatusCode, axum::Json<Vec<Adjudication>>), Problem> {
    Ok((StatusCode::CREATED, axum::Json(state.use_cases.adjudications.adjudicate(&actor, new).await?)))
}

/// A decision, or a list of decisions.
#[derive(Debug, utoipa::ToSchema)]
pub(super) struct Several(Vec<NewAdjudication>);

/// Read by its first sign, not by trying, so that an error names its field.
impl<'de> Deserialize<'de> for Several {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Several;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a decision or a list of decisions")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Several, A::Error> {
                NewAdjudication::deserialize(MapAccessDeserializer::new(map)).map(|one| Several(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Several, A::Error> {
                let mut found = Vec::new();
                while let Some(one) = all.next_element()? {
                    found.push(one);
                }
                Ok(Several(found))
            }
        }
        deserializer.deserialize_any(Read)
    }
}
