//! Words of the pages of training.

use super::{Text, count, texts};
use crate::training::minutes;
use concord_domain::{Lang, ModelRole, TrainingRun};

texts! {
    TITLE "Training runs" "训练记录";
    LEAD "Fine-tuning in this process, as far as the last checkpoint of each run. A run that was killed goes on with the same command and ends with the same weights." "本进程内的微调，显示到各次训练的最近一个检查点。被中断的训练用同一命令继续，最终权重完全一致。";
    EVOLVE "Rounds and models" "轮次与模型";
    NONE "Nothing has been trained here yet." "尚未在此训练过模型。";
    MODEL "Model" "模型";
    ROLE "For" "用途";
    STATE "State" "状态";
    STEPS "Steps" "步数";
    STEP "Step" "步";
    FIRST "First loss" "起始损失";
    LAST "Last loss" "最新损失";
    BEGUN "Begun" "开始";
    BACK "All runs" "全部记录";
    BASE "Starts from" "基座";
    DATA "Learns from" "训练数据";
    SPEED "Speed" "速度";
    HEARD "Last heard of" "最近更新";
    STARTS "Times started" "启动次数";
    FOLDER "Folder" "目录";
    SETTINGS "Settings" "设置";
    LOSS "Loss" "损失";
    LOSS_HINT "Mean negative log-likelihood of a learnt token: each step, and the mean of nine steps. It says how well the rows are learnt, not whether the model is better: that is the gate's to say." "每个被学习 token 的平均负对数似然：单步值与九步均值。它只反映对训练数据的拟合程度，模型是否更好由评审门判定。";
    MEAN "Mean of nine" "九步均值";
    NO_LOSSES "No checkpoint has been reached yet." "尚未到达任何检查点。";
}

/// How a run is.
pub(crate) fn state(lang: Lang, word: &str) -> &'static str {
    let (en, zh) = match word {
        "done" => ("done", "已完成"),
        "stopped" => ("stopped", "已停止"),
        "failed" => ("failed", "失败"),
        _ => ("running", "训练中"),
    };
    Text::new(en, zh).get(lang)
}

/// What the model is for.
pub(crate) fn role(lang: Lang, of: &TrainingRun) -> String {
    let role = match of.role {
        ModelRole::Generator => Text::new("generator", "生成模型"),
        ModelRole::Judge => Text::new("judge", "评审模型"),
    };
    let mut words = role.get(lang).to_owned();
    if let Some(task) = &of.task {
        words = format!("{words} · {}", super::common::task(lang, task));
    }
    match &of.criterion {
        Some(criterion) => format!("{words} · {}", super::audit::criterion(lang, criterion)),
        None => words,
    }
}

/// What it learns from.
pub(crate) fn data(lang: Lang, of: &TrainingRun) -> String {
    let hash: String = of.data_sha256.chars().take(12).collect();
    let export = of.export.map(|id| format!(" · {id}")).unwrap_or_default();
    match lang {
        Lang::En => format!(
            "{} rows, {} left out as too long ({hash}){export}",
            count(of.examples),
            count(of.left_out)
        ),
        Lang::Zh => {
            format!("{} 行，{} 行过长未用（{hash}）{export}", count(of.examples), count(of.left_out))
        }
    }
}

/// Tokens a second.
pub(crate) fn speed(lang: Lang, of: &TrainingRun) -> String {
    match (of.tokens_per_second, lang) {
        (None, _) => "–".to_owned(),
        (Some(it), Lang::En) => format!("{it:.0} tokens/s"),
        (Some(it), Lang::Zh) => format!("每秒 {it:.0} 个 token"),
    }
}

/// How far it is, in a sentence.
pub(crate) fn sentence(lang: Lang, of: &TrainingRun) -> String {
    let done = i64::try_from(of.losses.len()).unwrap_or(i64::MAX);
    let (done, steps) = (count(done), count(of.steps));
    let left = of.seconds_left.filter(|_| of.state == "running").map(|it| minutes(lang, it));
    match (lang, left) {
        (Lang::En, Some(left)) => format!("{done} of {steps} steps at the last checkpoint, {left} left."),
        (Lang::En, None) => format!("{done} of {steps} steps."),
        (Lang::Zh, Some(left)) => format!("截至最近检查点已完成 {done} / {steps} 步，剩余约 {left}。"),
        (Lang::Zh, None) => format!("已完成 {done} / {steps} 步。"),
    }
}

/// What the curve shows, for those who do not see it.
pub(crate) fn curve(lang: Lang, of: &TrainingRun) -> String {
    let (first, last) = (of.losses.first().unwrap_or(&0.0), of.losses.last().unwrap_or(&0.0));
    match lang {
        Lang::En => format!("Loss over {} steps, from {first:.3} to {last:.3}", of.losses.len()),
        Lang::Zh => format!("{} 步的损失曲线，从 {first:.3} 到 {last:.3}", of.losses.len()),
    }
}
