//! One round: its steps, what the gate compared, how the model learnt, and what it all cost.

use super::{EvolvePage, curve, decision, outcome, state};
use crate::audit::figure;
use crate::document::Reader;
use crate::i18n::{evolve as w, moment};
use concord_domain::{HitRate, Promotion, RoundStep};
use leptos::prelude::*;

/// The page of a round; `page` has it alone in `rounds`.
#[must_use]
pub fn round(reader: &Reader, page: &EvolvePage) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    let Some(of) = page.rounds.first() else { return String::new() };
    let title = format!("{} {}", t(w::ROUND), of.number);
    reader.render(&title.clone(), || {
        let steps = of.steps.iter().map(|it| step(reader, it)).collect_view();
        let model = of.made("train", "model").and_then(|id| page.models.iter().find(|it| it.id == id));
        let learnt = model.filter(|it| !it.losses.is_empty()).map(|model| {
            view! {
                <section class="card stack" aria-labelledby="learnt"><h2 id="learnt">{model.name.clone()}</h2>
                    {curve::losses(reader, &model.losses)}</section>
            }
        });
        let again = (of.state == "open").then(|| {
            view! { <p><a class="button" href=format!("/evolve/rounds/{}", of.id)>{t(w::LOOK_AGAIN)}</a></p> }
        });
        view! {
            <div class="page">
                <div class="page-top"><h1>{title}</h1>
                    <nav class="tasks" aria-label=t(w::TITLE)><a href="/evolve">{t(w::TITLE)}</a></nav></div>
                <p>{state(reader, of)} " " <span class="quiet">{moment(lang, of.created_at)}</span></p>
                <p>{outcome(reader, &page.promotions, of)}</p>
                <p class="quiet">{w::cost(lang, &of.cost)}</p>
                <section class="card" aria-labelledby="steps">
                    <h2 id="steps">{t(w::STEPS)}</h2>
                    <div class="table-frame" tabindex="0"><table>
                        <thead><tr><th scope="col">{t(w::STEP)}</th><th scope="col">{t(w::STATE)}</th>
                            <th scope="col" class="number">{t(w::TOOK)}</th><th scope="col">{t(w::MADE)}</th></tr></thead>
                        <tbody>{steps}</tbody>
                    </table></div>
                    {again}
                </section>
                {hit_rate(reader, of.hit_rate().as_ref())}
                {gate(reader, decision(&page.promotions, of))}
                {learnt}
            </div>
        }
        .into_any()
    })
}

fn step(reader: &Reader, of: &RoundStep) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let words = t(match of.state.as_str() {
        "running" => w::OPEN,
        "people" => w::PEOPLE,
        "done" => w::DONE,
        "skipped" => w::SKIPPED,
        "failed" => w::FAILED,
        _ => w::NOT_BEGUN,
    });
    let class = if of.state == "failed" { "state bad" } else { "state" };
    let took = of
        .started_at
        .zip(of.finished_at)
        .map_or_else(|| "–".to_owned(), |(from, to)| format!("{:.0}", to.duration_since(from).as_secs_f64()));
    let made = of
        .detail
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| value.is_string() || value.is_number());
    let made: Vec<String> = made
        .map(|(name, value)| {
            format!("{name} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    let how = of.message.clone().map(|how| view! { <div class="quiet small">{how}</div> });
    view! {
        <tr data-testid="step"><th scope="row">{w::step(lang, &of.name)}</th><td><span class=class>{words}</span>{how}</td>
            <td class="number">{took}</td><td class="small">{made.join(", ")}</td></tr>
    }
    .into_any()
}

fn hit_rate(reader: &Reader, of: Option<&HitRate>) -> Option<AnyView> {
    let t = reader.words();
    let of = of?;
    let [before, after] = of.tags;
    Some(
        view! {
            <section class="card stack" aria-labelledby="hit-rate"><h2 id="hit-rate">{t(w::HIT_RATE)}</h2>
                <p class="quiet small">{t(w::HIT_RATE_HINT)}</p>
                <div class="table-frame" tabindex="0"><table class="audit-table">
                    <thead><tr><th scope="col">{t(w::BEFORE)}</th><th scope="col">{t(w::AFTER)}</th>
                        <th scope="col">{t(w::GAIN)}</th><th scope="col" class="number">{t(w::TAGS_THAT_COUNT)}</th></tr></thead>
                    <tbody><tr data-testid="hit-rate"><td>{figure(reader, &of.before, 0.0)}</td><td>{figure(reader, &of.after, 0.0)}</td>
                        <td>{figure(reader, &of.gain, -1.0)}</td><td class="number">{format!("{before:.1}, {after:.1}")}</td></tr></tbody>
                </table></div></section>
        }
        .into_any(),
    )
}

fn gate(reader: &Reader, of: Option<&Promotion>) -> AnyView {
    let t = reader.words();
    let Some(of) = of else {
        return view! {
            <section class="card stack" aria-labelledby="gate"><h2 id="gate">{t(w::GATE)}</h2>
                <p class="quiet">{t(w::NO_GATE)}</p></section>
        }
        .into_any();
    };
    let number = |it: Option<f64>| it.map_or_else(|| "–".to_owned(), |it| format!("{it:.3}"));
    let rows = of.decision.compared.iter().map(|it| {
        view! {
            <tr><th scope="row">{it.name.clone()}</th><td class="number">{number(it.old)}</td>
                <td class="number">{number(it.new)}</td><td>{figure(reader, &it.gain, -1.0)}</td></tr>
        }
    });
    let rows = rows.collect_view();
    let refused = of.decision.refused.iter().map(|why| view! { <li>{why.clone()}</li> }).collect_view();
    let refused = (!of.decision.refused.is_empty()).then(|| view! { <h3>{t(w::WHY)}</h3><ul>{refused}</ul> });
    view! {
        <section class="card stack" aria-labelledby="gate">
            <h2 id="gate">{t(w::GATE)}</h2>
            <p class="quiet small">{t(w::GATE_HINT)}</p>
            <div class="table-frame" tabindex="0"><table class="audit-table">
                <thead><tr><th scope="col">{t(w::MEASURE)}</th><th scope="col" class="number">{t(w::BEFORE)}</th>
                    <th scope="col" class="number">{t(w::AFTER)}</th><th scope="col">{t(w::GAIN)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {refused}
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use concord_domain::Round;

    #[test]
    fn a_round_reads_back_what_its_steps_made() {
        let json = serde_json::json!({
            "id": "00000000-0000-0000-0000-000000000001", "number": 3, "plan": {}, "state": "open", "why": null, "by": null,
            "created_at": "2026-01-01T00:00:00Z", "finished_at": null, "cost": {
                "calls": 0, "prompt_tokens": 0, "output_tokens": 0, "generator_seconds": 0.0, "judge_tokens": 0,
                "judge_seconds": 0.0, "labels": 0, "training_tokens": 0},
            "steps": [{"name": "train", "state": "done", "message": null, "started_at": null, "finished_at": null,
                "detail": {"model": "00000000-0000-0000-0000-000000000002", "rows": 4}}]});
        let round: Round = serde_json::from_value(json).expect("a round");
        assert_eq!(round.made("train", "model").map(|id| id.as_u128()), Some(2));
        assert_eq!((round.made("train", "rows"), round.made("decide", "promotion")), (None, None));
        assert!(round.measured().is_empty());
    }
}
