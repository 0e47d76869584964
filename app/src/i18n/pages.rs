//! Words of the pages around the review.

use super::{count, texts};
use concord_domain::{JobState, Lang};

texts! {
    MY_DAY "Your day" "今日工作";
    DONE_TODAY "samples today" "今日样本";
    DONE_TOTAL "in all" "累计";
    OPEN_TO_YOU "open to you" "待您评审";
    START_REVIEW "Start reviewing" "开始评审";
    TASKS "Samples by task" "各任务样本";
    TASK "Task" "任务";
    MADE "Made" "已生成";
    JUDGED "Judged" "已由模型评审";
    LABELLED "All labels in" "标注完成";
    AGREEMENT "Judge agrees with people's blind majority" "评审模型与人工盲评多数一致";
    GENERATION "Last generation" "最近一次生成";
    NO_GENERATION "No generation yet." "尚未生成。";
    START_GENERATION "Start a generation" "开始生成";
    USERS_COUNT "Users" "用户数";
    SEED "Seed" "随机种子";
    DO_GENERATE "Generate" "生成";
    GENERATE_EFFECT "Draws users with enough reliable behaviour, writes samples for each and judges them as they come." "抽取行为充足的用户，为其生成样本并随即交由评审模型评审。";
    JOBS "Running and failed work" "进行中与失败的任务";
    JOB_KIND "Work" "任务";
    JOB_STATE "State" "状态";
    JOB_PROGRESS "Progress" "进度";
    JOB_MESSAGE "Message" "信息";
    STOP "Stop" "停止";
    LOGS "Logs" "日志";
    MODEL_TROUBLE "Models are not ready" "模型未就绪";
    EMPTY_LOGS "No logs yet" "尚无日志";
    EMPTY_LOGS_HINT "Load the demonstration data with this command, or import your own:" "运行以下命令加载演示数据，或导入自己的数据：";
    EMPTY_ANNOTATOR "Nothing to review yet. A lead starts a generation; its samples then appear here." "暂无可评审样本。负责人开始生成后，样本会出现在这里。";
}

/// A job's state.
pub(crate) fn job_state(lang: Lang, state: JobState) -> &'static str {
    let (en, zh) = match state {
        JobState::Queued => ("queued", "排队中"),
        JobState::Running => ("running", "进行中"),
        JobState::Done => ("done", "已完成"),
        JobState::Failed => ("failed", "失败"),
        JobState::Cancelled => ("stopped", "已停止"),
        JobState::Paused => ("paused", "已暂停"),
    };
    super::Text::new(en, zh).get(lang)
}

/// A kind of job; kinds this page does not know keep their name.
pub(crate) fn job_kind(lang: Lang, kind: &str) -> String {
    let (en, zh) = match kind {
        "generate" => ("Generate", "生成"),
        "judge" => ("Judge", "评审"),
        "rationale" => ("Rationale", "理由"),
        "export" => ("Export", "导出"),
        "explain" => ("Explain", "推荐理由"),
        other => return other.to_owned(),
    };
    super::Text::new(en, zh).get(lang).to_owned()
}

/// Time left, coarse on purpose.
pub(crate) fn time_left(lang: Lang, seconds: i64) -> String {
    match (lang, seconds) {
        (Lang::En, ..90) => format!("about {seconds} s left"),
        (Lang::En, _) => format!("about {} min left", (seconds + 30) / 60),
        (Lang::Zh, ..90) => format!("约剩 {seconds} 秒"),
        (Lang::Zh, _) => format!("约剩 {} 分钟", (seconds + 30) / 60),
    }
}

/// Users, items and behaviours in the logs.
pub(crate) fn log_size(lang: Lang, users: i64, items: i64, behaviours: i64) -> String {
    let (u, i, b) = (count(users), count(items), count(behaviours));
    match lang {
        Lang::En => format!("{u} users, {i} items, {b} behaviours"),
        Lang::Zh => format!("{u} 个用户，{i} 个商品，{b} 条行为"),
    }
}

/// Users done of all, and samples judged of all.
pub(crate) fn generation_line(lang: Lang, done: i64, users: i64, judged: i64, samples: i64) -> String {
    let (d, u, j, s) = (count(done), count(users), count(judged), count(samples));
    match lang {
        Lang::En => format!("{d} of {u} users done; {j} of {s} samples judged"),
        Lang::Zh => format!("已完成 {d}/{u} 个用户；已评审 {j}/{s} 条样本"),
    }
}

/// Users whose generation failed.
pub(crate) fn users_failed(lang: Lang, n: i64) -> String {
    match (lang, n) {
        (Lang::En, 1) => "1 user failed".into(),
        (Lang::En, n) => format!("{} users failed", count(n)),
        (Lang::Zh, n) => format!("{} 个用户失败", count(n)),
    }
}
