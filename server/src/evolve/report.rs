//! What rounds came to, as Markdown: nothing is left out, a refusal or a fall is a result.

use concord_agreement::gate::labels_for;
use concord_domain::{Estimate, GateMeasure, HeadRun, Promotion, Round, RoundMeasure};
use std::fmt::Write as _;

/// Power of the table of labels.
const POWER: f64 = 0.8;
/// What the paper reports of its tuned judges: task, κ, share of bad outputs caught.
const PAPER: [(&str, &str, &str); 2] = [("interest", ".48", ".61"), ("tag", ".75", ".84")];

/// The report. `heading` says on whose data and labels it rests.
#[must_use]
pub fn markdown(heading: &str, rounds: &[Round], promotions: &[Promotion], heads: &[HeadRun]) -> String {
    let mut out = format!("# Self-training rounds\n\n**{heading}.** Every number is as it came out.\n\n");
    decisions(&mut out, rounds, promotions);
    for round in rounds {
        gate(&mut out, round, promotions);
    }
    hit_rates(&mut out, rounds);
    judges(&mut out, rounds, heads);
    measures(&mut out, rounds);
    power(&mut out, rounds);
    costs(&mut out, rounds);
    out
}

fn decision<'p>(round: &Round, promotions: &'p [Promotion]) -> Option<&'p Promotion> {
    let id = round.made("decide", "promotion")?;
    promotions.iter().find(|it| it.id == id)
}

/// Why a round promoted nothing, in a line of a table.
fn why(round: &Round, decision: Option<&Promotion>) -> String {
    let skipped =
        || round.steps.iter().find(|step| step.state == "skipped").and_then(|it| it.message.clone());
    let why = match decision {
        Some(decision) => decision.decision.refused.join("; "),
        None => round.why.clone().or_else(skipped).unwrap_or_default(),
    };
    why.replace('|', "/").replace('\n', " ")
}

fn decisions(out: &mut String, rounds: &[Round], promotions: &[Promotion]) {
    out.push_str("| round | users (train + audit) | rows learnt | loss | new model | decision | why |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for round in rounds {
        let decision = decision(round, promotions);
        let train = round.step("train").map(|it| &it.detail);
        let number = |name: &str| train.and_then(|it| it[name].as_f64());
        let loss = match (number("first_loss"), number("last_loss")) {
            (Some(first), Some(last)) => format!("{first:.3} to {last:.3}"),
            _ => "none".into(),
        };
        let name = train.and_then(|it| it["name"].as_str()).unwrap_or("none");
        let rows = number("rows").map_or("0".into(), |it| format!("{it:.0}"));
        let word = match (decision.map(|it| it.kind.as_str()), round.state.as_str()) {
            (Some("promote"), _) => "promoted",
            (Some(_), _) => "refused",
            (None, "done") => "no new model",
            (None, state) => state,
        };
        let _ = writeln!(
            out,
            "| {} | {} + {} | {rows} | {loss} | {name} | {word} | {} |",
            round.number,
            round.plan.users,
            round.plan.audit_users,
            why(round, decision)
        );
    }
    out.push('\n');
}

fn gate(out: &mut String, round: &Round, promotions: &[Promotion]) {
    let Some(decision) = decision(round, promotions) else { return };
    let _ = writeln!(
        out,
        "## Round {}: the gate\n\nPass rates are corrected by labels (post-stratified by verdict); users of the audit half are resampled, pairs of what both models wrote for a user.\n\n| measure | before | new model | gain, 95 % | users |\n| --- | --- | --- | --- | --- |",
        round.number
    );
    for it in &decision.decision.compared {
        let GateMeasure { name, old, new, gain } = it;
        let _ = writeln!(out, "| {name} | {} | {} | {} | {} |", part(*old), part(*new), signed(gain), gain.n);
    }
    out.push('\n');
}

/// Of rounds that learnt from the log.
fn hit_rates(out: &mut String, rounds: &[Round]) {
    let found: Vec<_> = rounds.iter().filter_map(|round| Some((round, round.hit_rate()?))).collect();
    if found.is_empty() {
        return;
    }
    out.push_str("## HR@30\n\nUsers of the audit half the category of whose next thing is among those of up to thirty tags (by φ); their last day was kept from both models, and the gain is of the same users, resampled.\n\n| round | days of the log | before | new model | gain, 95 % | tags a user |\n| --- | --- | --- | --- | --- | --- |\n");
    for (round, it) in found {
        let days = round.plan.log.as_ref().map_or(0, |log| log.days);
        let _ = writeln!(
            out,
            "| {} | {days} | {} | {} | {} | {:.1}, {:.1} |",
            round.number,
            shown(&it.before),
            shown(&it.after),
            signed(&it.gain),
            it.tags[0],
            it.tags[1]
        );
    }
    out.push('\n');
}

/// What the labels taught the judges, and whether the gate let them.
fn judges(out: &mut String, rounds: &[Round], heads: &[HeadRun]) {
    out.push_str("## The judges\n\nA head a criterion learns from all labels of the train half. Both judges are compared on the same decisions of people on the audit half, users resampled; the new one must catch more of what people fail, with an interval that says so, and κ may not fall by more than .05.\n\n| round | task | decision | decisions | specificity: before, after, gain | κ: before, after, gain | why not |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for round in rounds {
        let runs = round.step("teach_judge").map(|it| it.detail["runs"].clone()).unwrap_or_default();
        let of =
            |it: &HeadRun| runs.as_array().is_some_and(|runs| runs.iter().any(|id| *id == it.id.to_string()));
        for run in heads.iter().filter(|it| of(it)) {
            let outcome = run.outcome.clone().unwrap_or_default();
            let all = outcome.compared.iter().find(|it| it.criterion == "*");
            let three = |of: Option<&[Estimate; 3]>| {
                of.map_or("–".into(), |[old, new, gain]| {
                    format!("{}, {}, {}", part(old.est), part(new.est), signed(gain))
                })
            };
            let n = all.map_or(0, |it| it.n);
            let why = outcome.refused.join("; ").replace('|', "/");
            let (specificity, kappa) = (three(all.map(|it| &it.specificity)), three(all.map(|it| &it.kappa)));
            let _ = writeln!(
                out,
                "| {} | {} | {} | {n} | {specificity} | {kappa} | {why} |",
                round.number, run.task, run.state
            );
        }
    }
    out.push('\n');
}

fn measures(out: &mut String, rounds: &[Round]) {
    out.push_str("## The judge and the samples, on all labels so far\n\nBy whole samples (all criteria); κ and specificity are of the judge that served at the end of the round.\n\n| round | task | κ | specificity (bad outputs caught) | corrected pass rate |\n| --- | --- | --- | --- | --- |\n");
    for round in rounds {
        for it in round.measured().iter().filter(|it| it.criterion == "all") {
            let RoundMeasure { task, kappa, specificity, pass_rate, .. } = it;
            let _ = writeln!(
                out,
                "| {} | {task} | {} | {} | {} |",
                round.number,
                shown(kappa),
                shown(specificity),
                shown(pass_rate)
            );
        }
    }
    out.push_str("\nOther data, not reached here and not comparable: the paper's tuned judges on its own samples and annotators.\n\n| task | κ | bad outputs caught |\n| --- | --- | --- |\n");
    for (task, kappa, caught) in PAPER {
        let _ = writeln!(out, "| {task} | {kappa} | {caught} |");
    }
    out.push('\n');
}

fn power(out: &mut String, rounds: &[Round]) {
    out.push_str("## How many labels a gain needs\n\nLabels a model that show a gain with probability .8 at the two-sided 95 % level, both models labelled apart: n = (z₁ √(2 p̄ q̄) + z₂ √(p q + p′ q′))² / gain² (Fleiss, Levin and Paik 2003, §4.2, without continuity correction). One label a user; with m samples a user of correlation ρ multiply by 1 + (m − 1) ρ. Pairing takes some of it back.\n\n| task | corrected pass rate | 5 points | 10 points |\n| --- | --- | --- | --- |\n");
    let last = rounds.iter().rev().map(Round::measured).find(|it| !it.is_empty()).unwrap_or_default();
    let mut row = |task: &str, rate: Option<f64>, labels: [Option<u64>; 2]| {
        let [five, ten] = labels.map(|it| it.map_or("not possible".into(), |n| n.to_string()));
        let _ = writeln!(out, "| {task} | {} | {five} | {ten} |", part(rate));
    };
    for it in last.iter().filter(|it| it.criterion == "all") {
        row(&it.task, it.pass_rate.est, [it.labels_for_5, it.labels_for_10]);
    }
    // A rate of one half asks for the most.
    row("any, at worst", Some(0.5), [0.05, 0.10].map(|gain| labels_for(0.5, gain, POWER)));
    out.push('\n');
}

fn costs(out: &mut String, rounds: &[Round]) {
    out.push_str("## What it cost\n\n| round | minutes | generator: calls, tokens read + written, seconds | judge: tokens read, seconds | labels | training tokens |\n| --- | --- | --- | --- | --- | --- |\n");
    for round in rounds {
        let cost = round.cost;
        let minutes = round.finished_at.map_or_else(
            || "still open".into(),
            |end| format!("{:.1}", end.duration_since(round.created_at).as_secs_f64() / 60.0),
        );
        let _ = writeln!(
            out,
            "| {} | {minutes} | {}, {} + {}, {:.0} | {}, {:.0} | {} | {} |",
            round.number,
            cost.calls,
            cost.prompt_tokens,
            cost.output_tokens,
            cost.generator_seconds,
            cost.judge_tokens,
            cost.judge_seconds,
            cost.labels,
            cost.training_tokens
        );
    }
}

fn part(value: Option<f64>) -> String {
    value.map_or("–".into(), |it| format!("{it:.3}"))
}

fn signed(of: &Estimate) -> String {
    match (of.est, of.ci) {
        (Some(est), Some((low, high))) => format!("{est:+.3} [{low:+.3}, {high:+.3}]"),
        (Some(est), None) => format!("{est:+.3}, no interval"),
        (None, _) => format!("not estimable: {}", of.why.as_deref().unwrap_or("too little")),
    }
}

fn shown(of: &Estimate) -> String {
    match (of.est, of.ci) {
        (Some(est), Some((low, high))) => format!("{est:.3} [{low:.3}, {high:.3}], n {}", of.n),
        (Some(est), None) => format!("{est:.3}, n {}", of.n),
        (None, _) => format!("not estimable: {}, n {}", of.why.as_deref().unwrap_or("too little"), of.n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use concord_domain::{
        GateDecision, HeadOutcome, HeadRequest, ModelPlace, ROUND_STEPS, RoundCost, RoundPlan, RoundStep,
    };
    use serde_json::json;
    use uuid::Uuid;

    fn estimate(est: f64) -> Estimate {
        Estimate {
            est: Some(est),
            se: None,
            ci: Some((est - 0.1, est + 0.1)),
            level: 0.95,
            method: "m".into(),
            n: 40,
            why: None,
        }
    }

    fn round(promotion: Option<Uuid>) -> Round {
        let measure = RoundMeasure {
            task: "tag".into(),
            criterion: "all".into(),
            judge: "j".into(),
            kappa: Estimate { est: None, ci: None, why: Some("one side".into()), ..estimate(0.0) },
            specificity: estimate(0.4),
            pass_rate: estimate(0.6),
            labels_for_5: labels_for(0.6, 0.05, POWER),
            labels_for_10: labels_for(0.6, 0.1, POWER),
        };
        let detail = |name: &str| match name {
            "decide" => json!({"promotion": promotion}),
            "measure" => json!({"measures": [measure]}),
            "teach_judge" => json!({"runs": [Uuid::from_u128(9)]}),
            _ => json!({}),
        };
        let step = |name: &&str| RoundStep {
            name: (*name).into(),
            state: if promotion.is_none() && *name == "export" { "skipped" } else { "done" }.into(),
            message: Some("nothing agreed | yet".into()),
            detail: detail(name),
            started_at: None,
            finished_at: None,
        };
        Round {
            id: Uuid::nil(),
            number: 1,
            plan: RoundPlan::default(),
            state: "done".into(),
            why: None,
            by: None,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            finished_at: None,
            steps: ROUND_STEPS.iter().map(step).collect(),
            cost: RoundCost::default(),
        }
    }

    #[test]
    fn a_refusal_is_written_with_its_reason_and_what_was_compared() {
        let gain =
            GateMeasure { name: "passes".into(), old: Some(0.7), new: Some(0.6), gain: estimate(-0.1) };
        let refused = vec!["passes changes by -0.100: not shown to be better".to_owned()];
        let promotion = Promotion {
            id: Uuid::from_u128(5),
            place: ModelPlace::generator(),
            kind: "refuse".into(),
            model: Some(Uuid::from_u128(6)),
            replaced: None,
            decision: GateDecision { promote: false, refused, compared: vec![gain] },
            by: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let taught = HeadRun {
            id: Uuid::from_u128(9),
            task: "tag".into(),
            request: HeadRequest::default(),
            state: "refused".into(),
            before_judge: None,
            judge: None,
            outcome: Some(HeadOutcome { refused: vec!["too few".into()], ..HeadOutcome::default() }),
            by: None,
            at: jiff::Timestamp::UNIX_EPOCH,
            finished_at: None,
        };
        let rounds = [round(Some(promotion.id))];
        let text = markdown("Demo world, simulated annotators", &rounds, &[promotion], &[taught]);
        assert!(text.contains("| 1 | tag | refused | 0 | – | – | too few |"), "{text}");
        assert!(text.contains("**Demo world, simulated annotators.**"), "{text}");
        assert!(text.contains("| refused | passes changes by -0.100: not shown to be better |"), "{text}");
        assert!(text.contains("| passes | 0.700 | 0.600 | -0.100 [-0.200, +0.000] | 40 |"), "{text}");
        assert!(
            text.contains("not estimable: one side, n 40") && text.contains("0.400 [0.300, 0.500], n 40")
        );
        assert!(text.contains("| tag | 0.600 | 1471 | 356 |"), "{text}");
        assert!(text.contains("Other data, not reached here"), "{text}");
    }

    #[test]
    fn a_round_without_a_model_says_why() {
        let text = markdown("h", &[round(None)], &[], &[]);
        assert!(text.contains("| none | no new model | nothing agreed / yet |"), "{text}");
    }
}
