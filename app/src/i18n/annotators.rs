//! Words of the page about the people who label.

use super::texts;
use concord_domain::Lang;

texts! {
    TITLE "Annotators" "标注员";
    PEOPLE "Who labels how" "标注员表现";
    NONE "Nobody has labelled yet" "尚无人标注";
    NONE_HINT "People appear here with their first blind answer, those of imported labels too." "完成首个盲评后，标注员会出现在这里；导入标注中的标注员也会列出。";
    WHO "Who" "标注员";
    SKILL "Skill" "能力";
    GOLD "Gold questions right" "金标准正确率";
    CONSISTENCY "Same answer again" "重复一致率";
    SECONDS "Median time" "用时中位数";
    HASTY "Under a third of own median" "低于自身中位数三分之一";
    RELIANCE "Gave in to judges" "改从评审的比例";
    FLAGGED "talk to this person" "需要沟通";
    HINT "Skill is how often somebody is right by what others answered on the same samples; its interval takes the others' estimates as known, and with two people both get the same. Flagged: P(so few right of somebody who is right with .85) < .01, after five answers at least. Gave in: of the answers on which all judges differed, the share revised to theirs after the reveal." "能力：以他人在相同样本上的标注推断的正确率；区间将他人的估计视为已知，仅有两人时两人相同。标记规则：若正确率为 0.85，出现如此少正确回答的概率 < 0.01，且至少有五个回答。改从评审：在所有评审与其不同的回答中，查看结果后改为评审答案的比例。";
    BY_CRITERION "Skill by criterion" "按标准的能力";
    ANCHORING "What seeing a verdict does" "看到评审结果的影响";
    ANCHORING_HINT "Some learning samples, drawn by chance, are labelled with the verdict in view; the difference is what its sight adds to agreement." "随机抽取部分学习样本在可见评审结果的情况下标注；差值即其对一致率的影响。";
    TOWARDS "Revised to the judge" "改向评审";
    AWAY "Revised away" "改离评审";
    ASSISTED "Agrees, verdict in view" "可见结果时的一致率";
    BLIND "Agrees, blind" "盲评时的一致率";
    DIFFERENCE "Difference" "差值";
}

/// How much somebody has answered.
pub(crate) fn counts(lang: Lang, labels: u64, samples: u64) -> String {
    let n = |n: u64| super::count(i64::try_from(n).unwrap_or(i64::MAX));
    match lang {
        Lang::En => format!("{} answers on {} samples", n(labels), n(samples)),
        Lang::Zh => format!("{} 个回答，{} 条样本", n(labels), n(samples)),
    }
}

/// Whom to talk to.
pub(crate) fn flagged(lang: Lang, names: &[String]) -> String {
    match (lang, names.is_empty()) {
        (Lang::En, true) => "Nobody is below the exact rule on gold questions.".into(),
        (Lang::En, false) => format!("Talk to {}: too few gold questions right.", names.join(", ")),
        (Lang::Zh, true) => "没有人触发金标准的精确规则。".into(),
        (Lang::Zh, false) => format!("请与 {} 沟通：金标准正确过少。", names.join("、")),
    }
}
