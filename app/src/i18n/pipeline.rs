//! Words of the pipeline's pages.

use super::{count, texts};
use concord_domain::{Lang, PhiReport};

texts! {
    TITLE "Pipeline" "生成流程";
    BATCHES "Batches" "批次";
    POOL "Preset interests" "预设兴趣";
    NO_BATCHES "Nothing has been generated yet. Start a generation on the home page, or with concord generate." "尚未生成任何内容。请在首页开始生成，或使用 concord generate。";
    LOOK_AGAIN "Look again" "刷新";
    STARTED "Started" "开始时间";
    STATE "State" "状态";
    USERS "Users" "用户";
    SAMPLES "Samples" "样本";
    RATE "Users an hour" "用户/小时";
    LEFT "Left" "剩余";
    JOBS "Jobs" "任务";
    PRIORITY "Priority" "优先级";
    SET "Set" "设置";
    STEER "Actions" "操作";
    RUNNING "running" "进行中";
    PAUSED "paused" "已暂停";
    DONE "done" "已完成";
    STOPPED "stopped" "已停止";
    PAUSE "Pause" "暂停";
    RESUME "Go on" "继续";
    CANCEL "Stop for good" "终止";
    PHI "Tag to category (φ)" "标签到类目（φ）";
    PHI_HINT "Gives a tag its category: for the spread of tags, for pairing explanations with items, and for HR@30. Trained on the catalogue's titles and its categories' names; one title in five is held out." "为标签给出类目：用于标签的类目分布、推荐理由与商品的配对，以及 HR@30。以商品标题和类目名称训练，五分之一的标题留作检验。";
    PHI_NONE "Not trained yet: the first generation trains it, or concord phi train." "尚未训练：首次生成时自动训练，或使用 concord phi train。";
    PHI_NO_CATEGORIES "Not estimable: the catalogue has no two categories." "无法估计：商品目录中不足两个类目。";
    POOL_HINT "Mining offers those that a history may show, and files a written interest under the one it is; others extend the pool. One that is taken out stays out when the pool is built again." "挖掘兴趣时会提供与行为历史相符的预设兴趣，并将写出的兴趣归入对应的预设；其余视为扩展。移出的预设不会因重新生成而恢复。";
    POOL_EMPTY "The pool is empty. Build it from the catalogue's categories, or add interests by hand." "预设兴趣为空。可由商品类目生成，或手动添加。";
    ADD "Add" "添加";
    BUILD "Build from the catalogue's categories" "由商品类目生成";
    NAME "Name" "名称";
    LANGUAGE "Language" "语言";
    FROM "Made from" "来源";
    ACTIVE "preset interests in the pool" "个预设兴趣";
    PERSON "a person" "人工";
    IN_POOL "in the pool" "使用中";
    OUT "taken out" "已移出";
    TAKE_OUT "Take out" "移出";
    BRING_BACK "Bring back" "恢复";
    RENAME "Rename" "改名";
}

/// Jobs that wait, run and are paused.
pub(crate) fn jobs(lang: Lang, waiting: i64, running: i64, paused: i64) -> String {
    let (waiting, running, held) = (count(waiting), count(running), count(paused));
    match (lang, paused) {
        (Lang::En, 0) => format!("{waiting} wait, {running} run"),
        (Lang::En, _) => format!("{waiting} wait, {running} run, {held} paused"),
        (Lang::Zh, 0) => format!("{waiting} 个等待，{running} 个运行"),
        (Lang::Zh, _) => format!("{waiting} 个等待，{running} 个运行，{held} 个暂停"),
    }
}

/// Samples judged.
pub(crate) fn judged(lang: Lang, n: i64) -> String {
    match lang {
        Lang::En => format!("{} judged", count(n)),
        Lang::Zh => format!("已评审 {}", count(n)),
    }
}

/// Presets that building added.
pub(crate) fn built(lang: Lang, n: i64) -> String {
    match lang {
        Lang::En => format!("{} new preset interests", count(n)),
        Lang::Zh => format!("新增 {} 个预设兴趣", count(n)),
    }
}

/// How often φ is right, with n and interval.
pub(crate) fn phi(lang: Lang, of: &PhiReport) -> String {
    let share = |k: i64| {
        let estimate = wilson(k, of.held_out);
        estimate.map_or_else(|| "–".to_owned(), |(p, low, high)| format!("{p:.3} [{low:.3}, {high:.3}]"))
    };
    let (right, five, n) = (share(of.correct), share(of.correct_in_five), count(of.held_out));
    let (categories, trained) = (count(of.categories), count(of.trained_on));
    match lang {
        Lang::En => format!(
            "{categories} categories, trained on {trained} titles. On {n} held-out titles: right {right}, among the five likeliest {five} (95 %, Wilson)."
        ),
        Lang::Zh => format!(
            "{categories} 个类目，训练标题 {trained} 条。留出的 {n} 条标题中：正确率 {right}，前五命中率 {five}（95% 区间，Wilson）。"
        ),
    }
}

/// Wilson's interval, as the audit has it.
fn wilson(k: i64, n: i64) -> Option<(f64, f64, f64)> {
    if n <= 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "titles of a catalogue")]
    let (k, n) = (k as f64, n as f64);
    let (z2, p) = (1.959_964_f64.powi(2), k / n);
    let centre = p + z2 / (2.0 * n);
    let half = (z2 * (p * (1.0 - p) / n + z2 / (4.0 * n * n))).sqrt();
    Some((p, ((centre - half) / (1.0 + z2 / n)).max(0.0), ((centre + half) / (1.0 + z2 / n)).min(1.0)))
}
