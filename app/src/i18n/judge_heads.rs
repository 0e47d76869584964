//! Words of the pages of judges' heads.

use super::{Text, texts};
use concord_domain::Lang;

texts! {
    HEADS "Heads" "判别头";
    HEAD "Head" "判别头";
    SHOW "Train heads, and results" "训练判别头与结果";
    LEAD "A head learns from blind labels of the train half to read what frozen models say of a sample: the judge's log-odds and how near the text is to what it rests on. The judge it makes takes the place of the old one only if it is better on the audit half." "判别头从训练分区的盲评标注中学习如何解读冻结模型的输出：评审模型的对数几率，以及文本与其依据的语义距离。仅当审计分区表明更好时，新评审模型才会取代原有模型。";
    NO_RUNS "Nothing has been trained on this task." "该任务尚未训练过判别头。";
    TRAIN "Train heads" "训练判别头";
    RATIO "Majority labels for each minority label" "多数类与少数类标注之比";
    HALF_LIFE "Half-life of majority labels, days" "多数类标注半衰期（天）";
    RIDGE "Ridge" "岭惩罚";
    MARGIN "κ may fall by" "κ 允许下降";
    SIMILARITIES "Read similarities too" "同时使用语义相似度";
    DROP "Take the heads away" "移除判别头";
    DROP_HINT "Verdicts are then the model's own answers again, read from stored logits. Live certificates end." "评审结果恢复为模型自身的回答（重读已存 logits），有效证书随即作废。";
    STOOD "Stood:" "原评审模型：";
    MADE "Made:" "新评审模型：";
    REFUSED "Why it was refused" "拒绝原因";
    UNTRAINED "Criteria without a head" "未训练判别头的标准";
    COMPARED "Both judges on the audit half" "两者在审计分区上的对比";
    COMPARED_HINT "Decisions of people that both judges have judged; users resampled. A label of the audit half is never learnt from." "以两者均已评审的人工结论为准，按用户重抽样。审计分区的标注从不用于训练。";
    DECISIONS "n" "n";
    SPECIFICITY "Specificity: fails that are caught" "特异度：不通过被识别的比例";
    OLD "old" "原";
    NEW "new" "新";
    GAIN "new − old" "新 − 原";
    TOGETHER "all decisions" "全部结论";
    ONLY_RIGHT "Only the old / the new is right" "仅原 / 仅新正确";
    KEPT "kept" "保留";
    WEIGHTS "Weights" "权重";
}

/// Shares of passes among the labels that were kept and among all.
pub(crate) fn shares(lang: Lang, trained: f64, before: f64) -> String {
    let (trained, before) = (trained * 100.0, before * 100.0);
    match lang {
        Lang::En => format!("passes: {before:.0} % before rebalancing, {trained:.0} % in training"),
        Lang::Zh => format!("通过占比：再平衡前 {before:.0}%，训练 {trained:.0}%"),
    }
}

/// How a run ended.
pub(crate) fn state(lang: Lang, word: &str) -> &'static str {
    let (en, zh) = match word {
        "promoted" => ("stands", "已启用"),
        "refused" => ("refused", "已拒绝"),
        "failed" => ("failed", "失败"),
        _ => ("waits or runs", "等待或运行中"),
    };
    Text::new(en, zh).get(lang)
}
