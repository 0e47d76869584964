//! Words of the judge pages.

use super::{Text, texts};
use concord_domain::{Lang, TaskJudge};

texts! {
    TITLE "Judges" "评审模型";
    LEAD "A judge is a model, a prompt, worked examples and a calibration. Whoever changes a part makes another judge: live certificates of the old one end at once." "评审模型由模型、提示词、示例与校准组成。改动任何一部分即成为另一个评审模型，原有的有效证书随即作废。";
    NONE "No judge yet" "尚无评审模型";
    NONE_HINT "This task has not been judged. Generate samples, or judge those that are there:" "该任务尚未评审。请先生成样本，或评审已有样本：";
    MODEL "Model" "模型";
    WEIGHTS "Weights" "权重";
    BACKEND "Backend" "后端";
    PROMPT "Prompt" "提示词";
    SETS "Example sets" "示例组数";
    SETS_COST "each verdict costs as many times" "每次评审的开销随之成倍增加";
    JUDGED "Judged" "已评审";
    A_SAMPLE "a sample" "每条";
    FAMILY_SHARED "Judge and generator share the weights' family. A model may like what it would have written: compare the shares below, and trust only what people have confirmed." "评审模型与生成模型同属一个权重家族，可能偏爱自己会写的内容：请对比下表比例，仅信任经人工确认的结果。";
    CRITERIA "By criterion" "按标准";
    LABELS "Agreed labels, train half" "训练分区一致标注";
    CALIBRATION "Calibration" "校准";
    UNCALIBRATED "none: the model's own probabilities" "无：模型自身的概率";
    BEFORE "before" "校准前";
    AFTER "after" "校准后";
    ECE "ECE" "ECE";
    BRIER "Brier" "Brier";
    AUROC "AUROC" "AUROC";
    MEASURED "Lower is better for ECE and Brier. After: each label by a fit that has not seen its user. These labels come in the order of learning and are no uniform sample: the audit says how good the judge is." "ECE 与 Brier 越低越好。校准后的数值由未见过该用户的拟合给出。这些标注按学习顺序产生，并非均匀抽样；评审模型的实际水平以审计为准。";
    LETS_THROUGH "Passes of what people fail" "人工不通过而评审通过";
    LETS_THROUGH_HINT "Audit half, by the family that wrote the sample" "审计分区，按撰写样本的模型家族";
    NO_HUMAN_FAILS "no fails labelled in the audit half" "审计分区尚无不通过的标注";
    EXAMPLES "Worked examples" "示例";
    NO_EXAMPLES "No examples: the judge is asked without any." "无示例：直接提问。";
    SET "Set" "组";
    CHANGE "Change this judge" "调整评审模型";
    DRAW "Draw examples" "抽取示例";
    DRAW_HINT "From samples of the train half that people agree on, as many passes as fails." "取自训练分区中人工意见一致的样本，通过与不通过各半。";
    PER_SIDE "Of each side (0: none)" "每侧数量（0 为不用示例）";
    SEED "Seed" "随机种子";
    RECALIBRATE "Recalibrate" "重新校准";
    RECALIBRATE_HINT "Fitted on blind labels of the train half. Stored logits are read anew: no model is asked." "基于训练分区的盲评标注拟合，直接重读已存的 logits，不调用模型。";
    METHOD "Method" "方法";
    ALL_CRITERIA "all criteria" "全部标准";
    REJUDGE "Judge what is missing" "评审缺失部分";
    REJUDGE_ALL "All samples" "全部样本";
    REJUDGE_LABELLED "Only labelled samples" "仅已标注样本";
    REJUDGE_HINT "What this judge has not judged yet; labelled samples come first. It can be stopped and goes on." "评审该模型尚未评审的样本，已标注者优先，可中断后继续。";
    PROBES "Probes" "偏差探测";
    PROBES_HINT "Planted negatives, padding and another order of the evidence. What is planted is never a sample: nobody reviews or exports it." "植入反例、附加无关文字、打乱证据顺序。植入内容不是样本，不会进入评审或导出。";
    RUN_PROBES "Run probes" "运行探测";
    SAMPLES "Samples" "样本数";
    SHOW_PROBES "Results of probes" "探测结果";
    SENIOR "Senior reviewer" "高级评审";
    SENIOR_HINT "Any failed criterion makes a sample B. S where enough criteria pass with a high probability; else A." "任一标准不通过即为 B；足够多的标准以高概率通过则为 S，否则为 A。";
    STRONG "A sign from P(pass) of" "视为加分的通过概率";
    SHARE "Share of criteria that must be signs" "所需加分标准的比例";
    SET_RULE "Set rule" "保存规则";
    HISTORY "What it was" "历史";
    SINCE "Since" "起始";
    UNTIL "Until" "截止";
    WHY "Changed" "变更";
    BY "By" "操作人";
    PROGRAM "the program" "系统";
    NOW "current" "当前";
    NO_PROBES "No probes have been run on this task." "该任务尚未运行探测。";
    RUNNING "waits or runs" "等待或运行中";
    NEGATIVES "Planted negatives" "植入反例";
    NEGATIVES_HINT "Each had to fail. The share that did is the judge's specificity on this kind." "均应判为不通过；判对的比例即该类反例上的特异度。";
    CHANGES "Changes that should change nothing" "不应影响结论的改动";
    KIND "Kind" "类型";
    CRITERION "Criterion" "标准";
    CAUGHT "Failed, as it must" "正确判为不通过";
    FLIPS "Verdicts that flip" "结论翻转比例";
    CONSISTENT "stay" "保持不变";
    PASS_TO_FAIL "Pass → fail" "通过→不通过";
    FAIL_TO_PASS "Fail → pass" "不通过→通过";
    P_VALUE "p (McNemar)" "p（McNemar）";
    SHIFT "Mean shift of P(pass)" "通过概率平均变化";
    UNREAD "not readable" "无法读取";
    BACK "All judges" "全部评审模型";
    DONE_CALIBRATED "Calibrated. Stored verdicts are being read anew." "已校准，正在重读已存的评审结果。";
    QUEUED "Queued." "已加入队列。";
}

/// How far the judge is, with the time that is left at its speed.
pub(crate) fn judged(lang: Lang, of: &TaskJudge) -> String {
    let count = crate::i18n::count;
    let progress = match lang {
        Lang::En => format!("{} of {} samples", count(of.judged), count(of.samples)),
        Lang::Zh => format!("{} / {} 条样本", count(of.judged), count(of.samples)),
    };
    let Some(millis) = of.millis else { return progress };
    let left = u32::try_from(of.samples - of.judged).map_or(0.0, f64::from) * millis / 60_000.0;
    let speed = format!("{:.1} s {}", millis / 1000.0, A_SAMPLE.get(lang));
    match (lang, left >= 0.05) {
        (_, false) => format!("{progress} · {speed}"),
        (Lang::En, true) => format!("{progress} · {speed} · {left:.1} min left"),
        (Lang::Zh, true) => format!("{progress} · {speed} · 剩余约 {left:.1} 分钟"),
    }
}

/// What had changed when a judge began.
pub(crate) fn why(lang: Lang, word: &str) -> &'static str {
    let (en, zh) = match word {
        "model" => ("other weights", "更换模型"),
        "prompt" => ("another prompt", "更换提示词"),
        "examples" => ("other examples", "更换示例"),
        "calibration" => ("another calibration", "更换校准"),
        "criteria" => ("other criteria", "更换标准"),
        "head" => ("another head, or none", "更换或移除判别头"),
        _ => ("first", "首次"),
    };
    Text::new(en, zh).get(lang)
}

/// A kind of probe.
pub(crate) fn kind(lang: Lang, word: &str) -> &'static str {
    let (en, zh) = match word {
        "other_user" => ("another user's text", "其他用户的文本"),
        "wrong_season" => ("the wrong season", "季节不符"),
        "invented_evidence" => ("invented evidence", "杜撰证据"),
        "padding" => ("padding", "附加无关文字"),
        _ => ("another order of the evidence", "打乱证据顺序"),
    };
    Text::new(en, zh).get(lang)
}

/// The probes' results in one sentence, the weakest kind first.
pub(crate) fn conclusion(lang: Lang, weakest: Option<(&str, &str, f64, u64)>) -> String {
    match (lang, weakest) {
        (Lang::En, None) => "No planted negative could be read.".into(),
        (Lang::Zh, None) => "没有可读取的植入反例。".into(),
        (Lang::En, Some((of, criterion, share, n))) => format!(
            "Weakest on {criterion}: of {n} cases of {}, {:.0} % were failed as they must be.",
            kind(lang, of),
            share * 100.0
        ),
        (Lang::Zh, Some((of, criterion, share, n))) => {
            format!(
                "最弱项：“{criterion}”上 {n} 条“{}”中，{:.0}% 被正确判为不通过。",
                kind(lang, of),
                share * 100.0
            )
        }
    }
}
