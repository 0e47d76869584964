//! Training: gradients against numbers, seeds, resuming, and that it learns.

use super::*;
use crate::evaluate::{Fusion, Scheme, Vectors, rank};
use crate::logs::{Item, LogsBuilder};
use candle_core::Var;

/// Two worlds of people and things, apart but for their first item: whoever begins in one stays there.
fn logs(users: usize) -> Logs {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut builder = LogsBuilder::default();
    let words = ["red tea", "green tea", "steel bolt", "brass bolt"];
    for item in 0..40_usize {
        let world = item / 20;
        builder.item(Item {
            key: item.to_string(),
            title: format!("{} number{item}", words[world * 2 + item % 2]),
            categories: vec![format!("world {world}"), format!("kind {}", item % 3)],
            brand: (item % 4 > 0).then(|| format!("brand {}", item % 4)),
            price: (item % 5 > 0).then_some(item as f64),
            id: 0,
        });
    }
    for user in 0..users {
        let world = user % 2;
        for at in 0..8 {
            let item = (world * 20 + rng.random_range(0..20)).to_string();
            let kind = if at % 3 == 0 { "purchase" } else { "view" };
            builder.event((&user.to_string(), 0), (&item, 0), kind, (Some(at), None)).expect("few kinds");
        }
    }
    builder.finish().expect("events")
}

fn settings() -> Settings {
    Settings {
        embed: 6,
        hidden: 7,
        width: 8,
        history: 5,
        batch: 16,
        negatives: 12,
        popularity: 0.5,
        temperature: 0.3,
        rate: 0.01,
        epochs: 3,
        per_user: 4,
        decay: 0.01,
        anonymous: 0.3,
        ..Settings::default()
    }
}

/// A loss of a fixed batch in f64.
fn loss_of(trainer: &Trainer<'_>, model: &Model, which: &str) -> (Tensor, Vec<(usize, Vec<u32>, Var)>) {
    let batch: Vec<Example> = trainer.examples(0).into_iter().take(6).collect();
    let mut pass = Pass::new(&model.params, DType::F64);
    let losses = trainer.losses(&mut pass, &batch, &mut rng(9, "check", 0)).expect("losses");
    let loss = match which {
        "col" => losses.col,
        "tag" => losses.tag.expect("titles"),
        "cate" => losses.cate.expect("categories"),
        _ => losses.total(0.3).expect("a sum"),
    };
    let leaves = pass.leaves.into_iter().map(|leaf| (leaf.param, leaf.rows, leaf.var)).collect();
    (loss, leaves)
}

#[test]
fn gradients_of_every_loss_are_those_of_numbers() {
    let logs = logs(12);
    let split = logs.leave_last_out();
    let (trainer, mut model) = Trainer::new(&logs, &split, settings()).expect("a model");
    // Away from the start, where biases are zero and hidden units may stand at their bend.
    let mut draw = ChaCha8Rng::seed_from_u64(1);
    model
        .params
        .list
        .iter_mut()
        .flat_map(|it| &mut it.values)
        .for_each(|it| *it += draw.random_range(-0.2..0.2));
    for (which, towers) in [
        ("col", vec!["item", "user"]),
        ("tag", vec!["item", "tag"]),
        ("cate", vec!["item"]),
        ("all", vec!["item", "user", "tag"]),
    ] {
        let (loss, leaves) = loss_of(&trainer, &model, which);
        let grads = loss.backward().expect("a backward step");
        let mut checked = 0;
        for (param, rows, var) in &leaves {
            let name = model.params.list[*param].name.clone();
            let Some(grad) = grads.get(var) else {
                assert!(!towers.iter().any(|tower| name.starts_with(tower)), "{which} must reach {name}");
                continue;
            };
            let grad = grad.flatten_all().expect("flat").to_vec1::<f64>().expect("f64");
            let columns = model.params.list[*param].columns;
            for at in (0..grad.len()).step_by(grad.len() / 5 + 1) {
                let place = rows.get(at / columns).map_or(at, |row| *row as usize * columns + at % columns);
                let here = model.params.list[*param].values[place];
                let mut at_moved = |by: f32| {
                    model.params.list[*param].values[place] = here + by;
                    let moved = f64::from(model.params.list[*param].values[place]);
                    let value = loss_of(&trainer, &model, which).0.to_scalar::<f64>().expect("a number");
                    (moved, value)
                };
                let ((high, up), (low, down)) = (at_moved(1e-5), at_moved(-1e-5));
                model.params.list[*param].values[place] = here;
                let slope = (up - down) / (high - low);
                let wrong = (slope - grad[at]).abs();
                assert!(
                    wrong <= 1e-5 + 1e-3 * slope.abs(),
                    "{which}, {name} at {at}: {} and {slope}",
                    grad[at]
                );
                checked += 1;
            }
        }
        assert!(checked > 20, "{which}: {checked} numbers were checked");
    }
}

#[test]
fn training_moves_every_parameter_and_the_same_seed_gives_the_same_bits() {
    let logs = logs(40);
    let split = logs.leave_last_out();
    let run = |seed: u64| {
        let (trainer, mut model) =
            Trainer::new(&logs, &split, Settings { seed, decay: 0.0, ..settings() }).expect("a model");
        let before = model.clone();
        trainer.run(&mut model, None, &mut |_, _| Ok(Flow::Go)).expect("it trains");
        for (now, before) in model.params.list.iter().zip(&before.params.list) {
            assert_ne!(now.values, before.values, "{} stayed as it was", now.name);
        }
        model
    };
    let once = run(1);
    assert!(once == run(1), "the same seed");
    assert!(once != run(2), "another seed");
}

#[test]
fn a_user_who_always_goes_unnamed_has_no_embedding_of_their_own_to_learn() {
    let logs = logs(40);
    let split = logs.leave_last_out();
    for (anonymous, learned) in [(1.0, false), (0.9, true), (0.0, true)] {
        let settings = Settings { anonymous, decay: 0.0, ..settings() };
        let (trainer, mut model) = Trainer::new(&logs, &split, settings).expect("a model");
        let users = |model: &Model| {
            let param = model.params.list.iter().find(|it| it.name == "user.id");
            param.expect("a table of users").values.clone()
        };
        let before = users(&model);
        trainer.run(&mut model, None, &mut |_, _| Ok(Flow::Go)).expect("it trains");
        assert_eq!(users(&model) != before, learned, "{anonymous}");
    }
    let wrong = Settings { anonymous: 1.5, ..settings() };
    assert!(Trainer::new(&logs, &split, wrong).is_err(), "a share is at most one");
}

#[test]
fn a_run_that_was_stopped_and_resumed_ends_with_the_bits_of_one_that_was_not() {
    let logs = logs(40);
    let split = logs.leave_last_out();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("towers.safetensors");
    let (trainer, mut whole) = Trainer::new(&logs, &split, settings()).expect("a model");
    trainer.run(&mut whole, None, &mut |_, _| Ok(Flow::Go)).expect("it trains");
    let (_, mut model) = Trainer::new(&logs, &split, settings()).expect("a model");
    for stop_at in [4, 11, u64::MAX] {
        let trainer = Trainer::with(&logs, &split, &model).expect("the same logs");
        let told = &mut |it: Progress, _: &Model| Ok(if it.step == stop_at { Flow::Stop } else { Flow::Go });
        match trainer.run(&mut model, Some((&path, 1000)), told) {
            Ok(()) => assert_eq!(stop_at, u64::MAX),
            Err(error) => {
                assert!(matches!(error, RetrievalError::Stopped(step) if step == stop_at), "{error}")
            }
        }
        model = resume(&path, settings()).expect("a checkpoint").expect("it is there");
    }
    assert!(model == whole, "resumed twice and unbroken");
    let other = resume(&path, Settings { width: 9, ..settings() }).expect_err("other settings");
    assert!(other.to_string().contains("other settings"), "{other}");
    let fewer = Logs { users: logs.users[..30].to_vec(), ..logs.clone() };
    let fewer_split = fewer.leave_last_out();
    assert!(Trainer::with(&fewer, &fewer_split, &model).is_err(), "other logs");
}

#[test]
fn a_damaged_checkpoint_is_an_error_and_never_a_model() {
    let logs = logs(12);
    let split = logs.leave_last_out();
    let (_, model) = Trainer::new(&logs, &split, settings()).expect("a model");
    let bytes = model.to_bytes(true).expect("bytes");
    assert!(Model::from_bytes(&bytes).expect("whole") == model);
    for cut in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(Model::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut nan = bytes.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(Model::from_bytes(&nan).is_err());
}

#[test]
fn three_towers_learn_the_two_worlds() {
    let logs = logs(60);
    let split = logs.leave_last_out();
    let settings = Settings { epochs: 12, decay: 0.0, popularity: 0.0, ..settings() };
    let (trainer, mut model) = Trainer::new(&logs, &split, settings).expect("a model");
    trainer.run(&mut model, None, &mut |_, _| Ok(Flow::Go)).expect("it trains");
    let vectors = Vectors::new(&model, &logs, &split).expect("vectors");
    let users = split.measured();
    for (beta, scheme) in [(1.0, Scheme::Mean), (0.5, Scheme::Mean), (0.0, Scheme::Max)] {
        let fusion = Fusion { beta, scheme, tags: 3, window: 8 };
        let lists = rank(&vectors.with_titles(fusion), &split, &users, 5).expect("lists");
        let at_home = users
            .iter()
            .zip(&lists)
            .map(|(user, list)| list.iter().filter(|(item, _)| (*item as usize) / 20 == user % 2).count());
        let (home, all) = (at_home.sum::<usize>(), lists.iter().map(Vec::len).sum::<usize>());
        assert!(home * 10 >= all * 9, "β {beta}: {home} of {all} are of the user's world");
    }
    let tags = model.tags(&["red tea", "qqq"]).expect("tags");
    assert!(tags[0].is_some() && tags[1].is_none(), "a tag without a known word has no vector");
}
