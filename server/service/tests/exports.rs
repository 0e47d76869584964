//! Exports take what is decided and nothing else, in every form, and say of each row what stands behind it.

use crate::world::World;
use concord_domain::api::{Exports, Programmes};
use concord_domain::{Actor, Balance, Error, ExportPolicy, GoldAnswer, GoldRequest, Role, SampleId};
use concord_service::exports::ExportsService;
use concord_service::programmes::ProgrammesService;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::BTreeMap;

/// Two generations of three users of the train half, a call each with four tags on one prompt. Tags are named after
/// generation, user and place: `1u2t3`.
struct Desk {
    pool: PgPool,
    lead: Actor,
    exports: ExportsService,
    world: World,
    folder: tempfile::TempDir,
}

const SETUP: &str = "
    insert into users (key, half) select 'u' || n, 'train' from generate_series(1, 3) n;
    insert into items (key, title, category) values ('i', 'rod', '{outdoor,fishing}');
    insert into generations (id, seed, settings, model, model_hash, model_family, prompts, created_at)
        select gen_random_uuid(), n, '{}', 'm', 'h', 'f', 'p', '2026-01-01'::timestamptz + n * interval '60 days' from generate_series(1, 2) n;
    insert into calls (id, generation_id, user_id, task, prompt_version, system, prompt, output, seed, prompt_tokens, output_tokens, millis, truncated)
        select gen_random_uuid(), g.id, u.id, 'tag', 'tags/1', 'instructions', 'data of ' || u.key,
               json_build_object('tags', (select json_agg(json_build_object('tag', g.seed || u.key || 't' || t)) from generate_series(0, 3) t)),
               1, 1, 1, 1, false
        from generations g, users u;
    insert into samples (id, key, task, text, half, user_id, item_id, generation_id, call_id, ordinal, rubric_version, serve_order, created_at)
        select gen_random_uuid(), g.seed || u.key || 't' || t, 'tag', g.seed || u.key || 't' || t, 'train', u.id,
               case when t < 2 then (select id from items) end, g.id, c.id, t,
               (select version from rubrics where task = 'tag' and current), 0, g.created_at
        from calls c join generations g on g.id = c.generation_id join users u on u.id = c.user_id, generate_series(0, 3) t";

impl Desk {
    async fn new(pool: &PgPool) -> Self {
        let world = World::new(pool).await;
        let lead = world.account("lead", Role::Lead).await;
        let folder = tempfile::tempdir().expect("a folder");
        let exports = ExportsService::new(pool.clone(), folder.path().join("exports"));
        let desk = Self { pool: pool.clone(), lead, exports, world, folder };
        for statement in SETUP.split(';') {
            desk.sql(statement).await;
        }
        desk
    }

    async fn sql(&self, statement: &str) {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.expect(statement);
    }

    async fn id(&self, key: &str) -> SampleId {
        let id =
            sqlx::query_scalar("select id from samples where key = $1").bind(key).fetch_one(&self.pool).await;
        SampleId(id.expect("a sample"))
    }

    /// Whole samples labelled by these people, a letter each: `+` passes every criterion, `-` fails `validity`.
    async fn label(&self, keys: &str, votes: &str) {
        for (n, vote) in votes.chars().enumerate() {
            let pass = if vote == '+' { "true" } else { "c <> 'validity'" };
            self.sql(&format!(
                "insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
                 select gen_random_uuid(), s.id, 'tag', c, 'r{n}', case when {pass} then 'pass' else 'fail' end, {pass}, 'blind',
                        'learning', 1, s.rubric_version, 'imported'
                 from samples s, unnest(array['relevance', 'consistency', 'specificity', 'validity']) c where s.key ~ '{keys}'"
            ))
            .await;
        }
    }

    async fn adjudicate(&self, key: &str, outcome: &str) {
        self.sql(&format!(
            "insert into adjudications (id, sample_id, criterion, account_id, outcome, label, reason)
             select gen_random_uuid(), id, 'validity', '{}', '{outcome}', nullif('{outcome}', 'ambiguous'), 'slip'
             from samples where key = '{key}'",
            self.lead.account
        ))
        .await;
    }

    /// The files of an export, a list of rows each.
    async fn run(&self, policy: &ExportPolicy) -> BTreeMap<String, Vec<Value>> {
        let n = std::fs::read_dir(self.folder.path()).expect("a folder").count();
        let out = self.folder.path().join(format!("out{n}"));
        let rows = self.exports.write(policy, &out.to_string_lossy()).await.expect("an export");
        let preview = self.exports.preview(&self.lead, policy).await.expect("a preview");
        let total: i64 = preview.rows.iter().map(|(_, n)| n).sum();
        assert_eq!(u64::try_from(total).ok(), Some(rows), "the preview says what is taken");
        assert_eq!(preview.classes.iter().map(|it| it.n).sum::<i64>(), total);
        assert_eq!(preview.lengths.iter().map(|it| it.1).sum::<i64>(), total);
        assert_eq!(preview.samples.len(), usize::try_from(total.min(10)).expect("few"));
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&out).expect("the export") {
            let path = entry.expect("a file").path();
            let text = std::fs::read(&path).expect("bytes");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let rows = String::from_utf8_lossy(&text);
            let rows = if name.ends_with(".jsonl") {
                rows.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
            } else {
                vec![serde_json::from_slice(&text).unwrap_or_else(|_| rows.into_owned().into())]
            };
            files.insert(name, rows);
        }
        files
    }

    /// Names of the samples that a policy's rows answer with, in order of name.
    async fn taken(&self, policy: &ExportPolicy) -> Vec<String> {
        let rows = self.run(policy).await.remove("train.jsonl").expect("rows");
        let mut names: Vec<String> = rows.iter().map(|row| tag(&row["messages"][2]["content"])).collect();
        names.sort_unstable();
        names
    }
}

/// The tag in an answer.
fn tag(answer: &Value) -> String {
    let document: Value = serde_json::from_str(answer.as_str().expect("text")).expect("JSON");
    assert_eq!(document["tags"].as_array().map(Vec::len), Some(1), "{document}");
    document["tags"][0]["tag"].as_str().expect("a tag").to_owned()
}

fn policy(target: &str) -> ExportPolicy {
    ExportPolicy { target: target.into(), ..ExportPolicy::default() }
}

fn evidence(words: &[&str]) -> ExportPolicy {
    ExportPolicy { evidence: words.iter().map(|it| (*it).to_owned()).collect(), ..ExportPolicy::default() }
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_leads_decision_stands_above_answers_and_keeps_out_what_it_contradicts(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    desk.label("1u1t[01]", "+").await;
    desk.label("1u1t2", "-").await;
    desk.adjudicate("1u1t1", "fail").await;
    desk.adjudicate("1u1t2", "pass").await;
    desk.adjudicate("1u1t0", "pass").await;
    assert_eq!(desk.taken(&ExportPolicy::default()).await, ["1u1t0", "1u1t2"]);
    assert_eq!(
        desk.taken(&evidence(&["blind"])).await,
        ["1u1t0"],
        "a decision that does not count still contradicts"
    );
    desk.adjudicate("1u1t2", "ambiguous").await;
    assert_eq!(desk.taken(&ExportPolicy::default()).await, ["1u1t0"]);
    let files = desk.run(&ExportPolicy::default()).await;
    assert_eq!(files["lineage.jsonl"][0]["evidence"], "adjudicated");
    assert_eq!(files["manifest.json"][0]["rows_by_evidence"]["adjudicated"], 1);
}

#[sqlx::test(migrations = "../../migrations")]
async fn agreement_is_asked_of_every_criterion(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    desk.label("1u1t0", "+++-").await;
    desk.label("1u1t1", "++++").await;
    desk.label("1u1t2", "++--").await;
    desk.label("1u1t3", "+").await;
    let share = |share| ExportPolicy { min_agreement: share, min_people: 2, ..ExportPolicy::default() };
    let majority = ExportPolicy { agreement: "majority".into(), ..share(None) };
    assert_eq!(desk.taken(&share(None)).await, ["1u1t1"]);
    assert_eq!(desk.taken(&majority).await, ["1u1t0", "1u1t1"]);
    assert_eq!(desk.taken(&share(Some(0.75))).await, ["1u1t0", "1u1t1"]);
    assert_eq!(desk.taken(&share(Some(0.76))).await, ["1u1t1"]);
    let second = ExportPolicy { rounds: vec![2], ..majority };
    let nothing = desk.exports.write(&second, &desk.folder.path().join("x").to_string_lossy()).await;
    assert!(nothing.expect_err("nothing in round two").why.contains("nothing agreed"));
}

/// A live certificate under which these samples stand.
const CERTIFIED: &str = "
    insert into certificate_attempts (id, task, criterion, judge, major, rubric_version, verdict, eps, delta, attempt, delta_spent,
                                      labels_after, seed, grid, starts, pool, grid_from, created_by)
        select '00000000-0000-0000-0000-0000000000c1', 'tag', 'all', 'test judge', 1, '1.0', 'pass', 0.1, 0.05, 1, 0.05, 0, 1, '{.9}', '{0}', 9,
               'unlabelled', id from accounts limit 1;
    insert into certificates (id, threshold, n, errors, ucb, coverage) values ('00000000-0000-0000-0000-0000000000c1', 0.9, 100, 3, 0.0757, 0.4);
    insert into acceptances (sample_id, pass, judge) select id, true, 'test judge' from samples where key in ('2u1t0', '2u1t1', '2u1t2');
    insert into acceptance_certificates (certificate_id, sample_id)
        select '00000000-0000-0000-0000-0000000000c1', sample_id from acceptances";

#[sqlx::test(migrations = "../../migrations")]
async fn a_verdict_counts_under_a_live_certificate_and_where_nobody_has_answered(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    for statement in CERTIFIED.split(';') {
        desk.sql(statement).await;
    }
    desk.label("2u1t0", "-").await;
    desk.label("2u1t1", "+-").await;
    desk.label("2u1t3", "+").await;
    let auto = evidence(&["blind", "adjudicated", "auto"]);
    let files = desk.run(&auto).await;
    let named: Vec<(String, &str)> = files["train.jsonl"]
        .iter()
        .zip(&files["lineage.jsonl"])
        .map(|(row, line)| {
            (tag(&row["messages"][2]["content"]), line["evidence"].as_str().expect("evidence"))
        })
        .collect();
    assert_eq!(
        named.len(),
        2,
        "{named:?}: people's answers, and their disagreement, stand above a certificate"
    );
    assert!(named.contains(&("2u1t2".into(), "auto")) && named.contains(&("2u1t3".into(), "human_blind")));
    let manifest = &files["manifest.json"][0];
    assert_eq!(manifest["certificates"][0]["eps"], 0.1);
    assert_eq!(manifest["certificates"][0]["rows"], 1);
    let card = files["README.md"][0].as_str().expect("a card");
    assert!(
        card.contains("at most 0.1 of verdicts disagree") && card.contains("1 rows: people's answers"),
        "{card}"
    );
    assert_eq!(desk.taken(&ExportPolicy::default()).await, ["2u1t3"]);
    desk.sql("update certificates set status = 'void', ended_at = now()").await;
    assert_eq!(desk.taken(&auto).await, ["2u1t3"]);
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_gold_question_is_never_exported_and_what_was_exported_never_becomes_one(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    desk.label("1u1t[01]", "+").await;
    let programmes = ProgrammesService::new(pool.clone());
    let gold = async |key: &str| {
        let of = |criterion: &str| GoldAnswer {
            criterion: criterion.into(),
            label: "pass".into(),
            reason: "r".into(),
        };
        let answers = ["relevance", "consistency", "specificity", "validity"].map(of).to_vec();
        programmes.set_gold(&desk.lead, desk.id(key).await, GoldRequest { answers }).await
    };
    gold("1u1t0").await.expect("a gold question");
    assert_eq!(desk.taken(&ExportPolicy::default()).await, ["1u1t1"]);
    let smuggle = "insert into export_rows (export_id, line, sample_id)
                   select e.id, 99, s.id from exports e, samples s where s.key = '1u1t0' limit 1";
    let refused = desk.world.try_sql(smuggle).await.expect_err("the database refuses it");
    assert!(refused.to_string().contains("gold question"), "{refused}");
    let refused = gold("1u1t1").await.expect_err("a model may know it");
    assert!(matches!(refused, Error::Conflict { code, .. } if code == "exported"));
}

#[sqlx::test(migrations = "../../migrations")]
async fn pairs_are_of_one_prompt_and_rankings_keep_their_order(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    desk.label("1u1t[01]", "+").await;
    desk.label("1u1t[23]", "-").await;
    desk.label("1u2t[0123]", "+").await;
    desk.label("1u3t[0123]", "-").await;
    let files = desk.run(&policy("preference")).await;
    assert_eq!(files["train.jsonl"].len(), 2, "users two and three have one side only");
    for (row, line) in files["train.jsonl"].iter().zip(&files["lineage.jsonl"]) {
        assert_eq!(row["prompt"][1]["content"], "data of u1");
        assert!(
            tag(&row["chosen"][0]["content"]) < tag(&row["rejected"][0]["content"]),
            "passes are t0 and t1"
        );
        let rejected: uuid::Uuid = line["rejected"].as_str().expect("an id").parse().expect("an id");
        let lineage = desk.exports.lineage(&desk.lead, SampleId(rejected)).await.expect("lineage");
        assert_eq!((lineage.exports.len(), lineage.exports[0].pass, lineage.labels.len()), (1, false, 4));
    }
    // A judge that is sure of t0 alone: S, A, B, B.
    desk.sql(
        "insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass)
         select gen_random_uuid(), s.id, c, 'test judge', s.rubric_version, 'ok', 'pass', true, case when s.key = '1u1t0' then 0.9 else 0.6 end
         from samples s, unnest(array['relevance', 'consistency', 'specificity', 'validity']) c where s.key like '1u1%'",
    )
    .await;
    let files = desk.run(&policy("reward")).await;
    let mut ranked: Vec<(String, String, String)> = files["train.jsonl"]
        .iter()
        .map(|row| {
            let of = |side: &str| tag(&row[side][2]["content"]);
            (of("chosen"), of("rejected")[..3].to_owned(), row["margin"].to_string())
        })
        .collect();
    ranked.sort();
    let ranked: Vec<(&str, &str)> =
        ranked.iter().map(|(chosen, _, margin)| (chosen.as_str(), margin.as_str())).collect();
    assert_eq!(
        ranked,
        [("1u1t0", "1.0"), ("1u1t0", "2.0"), ("1u1t1", "1.0")],
        "S over A, S over B, A over B"
    );
    assert_eq!(files["manifest.json"][0]["rows_by_class"]["S > A"], 1);
}

#[sqlx::test(migrations = "../../migrations")]
async fn balance_keeps_the_rarer_side_and_of_the_other_what_is_newer(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    desk.label("u[123]t[012]", "+").await;
    desk.label("u[12]t3", "-").await;
    let balanced = |rounds, ratio, half_life_days| ExportPolicy {
        balance: Some(Balance { ratio, rounds, half_life_days }),
        ..policy("kto")
    };
    let count = async |policy: &ExportPolicy| {
        let rows = desk.run(policy).await.remove("train.jsonl").expect("rows");
        let good: Vec<String> = rows
            .iter()
            .filter(|row| row["label"] == true)
            .map(|row| tag(&row["completion"][0]["content"]))
            .collect();
        let newer = good.iter().filter(|name| name.starts_with('2')).count();
        (good.len(), rows.len() - good.len(), newer)
    };
    let (good, bad, _) = count(&policy("kto")).await;
    assert_eq!((good, bad), (18, 4));
    let (good, bad, newer) = count(&balanced(0, 1.5, 1.0)).await;
    assert_eq!((good, bad, newer), (6, 4, 6), "60 days are 60 half-lives: the newer generation alone");
    let (good, bad, newer) = count(&balanced(0, 4.0, 10_000.0)).await;
    assert_eq!((good, bad), (16, 4));
    assert!(newer < 16, "with a long half-life both are drawn");
    let (good, bad, _) = count(&balanced(1, 1.0, 30.0)).await;
    assert_eq!((good, bad), (2, 2), "the rarer side of the newest round");
}

#[sqlx::test(migrations = "../../migrations")]
async fn caps_count_by_user_and_category_and_hold_out_goes_by_user(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    desk.label("u[123]t", "+").await;
    let capped = |cap_user, cap_category| ExportPolicy { cap_user, cap_category, ..ExportPolicy::default() };
    assert_eq!(desk.taken(&capped(5, 0)).await.len(), 15);
    let by_category = desk.taken(&capped(0, 1)).await;
    assert_eq!(by_category.len(), 3 * (1 + 4), "one of four with an item, and all without");
    desk.sql("update samples set body = body || '{\"category\":\"outdoor > fishing\"}' where ordinal = 2")
        .await;
    let by_category = desk.taken(&capped(0, 1)).await;
    assert_eq!(
        by_category.len(),
        3 * (1 + 2),
        "a tag has the category that phi gives it, the same as an item's"
    );
    let draw = |seed| ExportPolicy { seed, ..capped(2, 0) };
    let (one, again, other) =
        (desk.taken(&draw(1)).await, desk.taken(&draw(1)).await, desk.taken(&draw(2)).await);
    assert_eq!(one, again);
    assert_ne!(one, other, "another seed draws others");
    for seed in 0..20 {
        let held = ExportPolicy { hold_out: 0.5, seed, ..ExportPolicy::default() };
        let preview = desk.exports.preview(&desk.lead, &held).await.expect("a preview");
        if preview.held_out == 0 || preview.held_out == 24 {
            continue;
        }
        let files = desk.run(&held).await;
        let users = |file: &str| -> std::collections::BTreeSet<String> {
            files[file].iter().map(|row| row["messages"][1]["content"].to_string()).collect()
        };
        assert!(users("train.jsonl").is_disjoint(&users("eval.jsonl")));
        assert_eq!(files["eval.jsonl"].len() as i64, preview.held_out);
        let line = files["lineage.jsonl"].iter().find(|line| line["part"] == "eval").expect("a row held out");
        assert_eq!(line["line"], 1, "lines are counted by file");
        return;
    }
    panic!("no seed of twenty parts three users");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_judges_row_is_its_question_answered_as_people_did_with_a_reason_for_that_answer(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    desk.label("1u1t0", "-").await;
    let files = desk.run(&policy("judge")).await;
    assert_eq!(files["train.jsonl"].len(), 4, "a row a criterion");
    let at =
        files["lineage.jsonl"].iter().position(|line| line["criterion"] == "validity").expect("validity");
    let row = &files["train.jsonl"][at];
    assert!(row["prompt"][1]["content"].as_str().is_some_and(|text| text.contains("1u1t0")), "{row}");
    assert_eq!(row["completion"][0]["content"], "No");
    let line = &files["lineage.jsonl"][at];
    assert_eq!((&line["pass"], &line["evidence"]), (&Value::Bool(false), &Value::from("human_blind")));
    desk.adjudicate("1u1t0", "fail").await;
    desk.sql("insert into adjudications (id, sample_id, criterion, account_id, outcome, label, reason, note)
              select gen_random_uuid(), sample_id, criterion, account_id, 'fail', 'fail', 'slip', 'No such product.' from adjudications")
        .await;
    let files = desk.run(&policy("judge")).await;
    let at =
        files["lineage.jsonl"].iter().position(|line| line["criterion"] == "validity").expect("validity");
    assert_eq!(files["train.jsonl"][at]["completion"][0]["content"], "No\nNo such product.");
}

#[sqlx::test(migrations = "../../migrations")]
async fn every_target_is_written_for_every_trainer_and_leads_back_from_each_sample(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    desk.label("u[123]t[01]", "+").await;
    desk.label("u[123]t[23]", "-").await;
    for target in concord_domain::TARGETS {
        let all = ExportPolicy {
            layouts: concord_domain::LAYOUTS.map(str::to_owned).to_vec(),
            formats: concord_domain::FORMATS.map(str::to_owned).to_vec(),
            ..policy(target)
        };
        let files = desk.run(&all).await;
        let manifest = &files["manifest.json"][0];
        let rows = manifest["rows"].as_u64().expect("rows");
        for layout in ["", "llama_factory.", "axolotl."] {
            for format in ["jsonl", "parquet"] {
                let name = format!("{layout}train.{format}");
                let file = manifest["files"]
                    .as_array()
                    .expect("files")
                    .iter()
                    .find(|file| file["name"] == name.as_str());
                assert_eq!(file.expect(&name)["rows"], rows, "{target} {name}");
            }
        }
        for name in ["dataset_info.json", "axolotl.yaml", "README.md"] {
            assert!(files.contains_key(name), "{target} {name}");
        }
    }
    let lineage = desk.exports.lineage(&desk.lead, desk.id("1u1t0").await).await.expect("lineage");
    assert!(lineage.exports.len() >= concord_domain::TARGETS.len() - 1 && lineage.generation.is_some());
    let ann = desk.world.account("ann", Role::Annotator).await;
    assert_eq!(desk.exports.lineage(&ann, lineage.sample).await, Err(Error::Forbidden));
}
