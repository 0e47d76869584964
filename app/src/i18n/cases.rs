//! Words of the pages on which leads decide.

use super::{Text, texts};
use concord_domain::{Lang, Outcome, Reason};

texts! {
    TITLE "To decide" "待裁决";
    CASE "Case" "案例";
    STATE "State" "状态";
    ANY "any" "不限";
    SORT "Order" "排序";
    CATEGORY "Category" "类目";
    LANGUAGE "Language" "语言";
    GENERATOR "Generator" "生成器";
    ANNOTATOR "Annotator" "标注员";
    HALF "Half" "分区";
    OPEN "needs a lead" "需要裁决";
    ESCALATED "escalated" "已上报";
    TIED "tied" "平票";
    DISAGREEING "people disagree" "人工分歧";
    JUDGE_FAIL "judge fails, people pass" "评审不通过、人工通过";
    JUDGE_PASS "judge passes, people fail" "评审通过、人工不通过";
    ADJUDICATED "adjudicated" "已裁决";
    AMBIGUOUS "ambiguous" "有歧义";
    AGREED "agreed" "一致";
    BY_NEED "what needs a lead most" "最需要裁决的在前";
    BY_CONFIDENCE "surest verdicts first" "评审置信度最高在前";
    BY_NEWEST "newest first" "最新在前";
    PEOPLE "People" "人工";
    SAMPLE "Sample" "样本";
    SELECT "Select" "选择";
    OWN "labelled by you: another lead decides" "您标注过：须由其他负责人裁决";
    NONE_OPEN "Nothing needs a lead" "没有需要裁决的案例";
    NONE_OPEN_HINT "A case comes here when people disagree, when somebody escalates a sample, or when a judge and people differ. More people on a sample show more disagreement: raise the overlap of a task, or import labels." "当人工之间有分歧、有人上报样本，或评审模型与人工不一致时，案例会出现在这里。增加任务的重叠人数或导入标注，可以发现更多分歧。";
    NONE_MATCH "Nothing matches this filter." "没有符合筛选条件的案例。";
    CLEAR "Clear the filter" "清除筛选";
    MANY "Decide on the selected" "裁决所选案例";
    MANY_HINT "One decision and one reason for all that are selected, stored together or not at all." "所选案例使用同一结论和同一原因，一并保存，或全部不保存。";
    DECISION "Decision" "结论";
    REASON "Why people disagreed" "分歧原因";
    NOTE "Note" "说明";
    GUIDELINE_GAP "the guideline does not say" "评分标准未说明";
    SLIP "somebody slipped" "有人失误";
    MAY_DIFFER "people may rightly differ" "确有歧义，可合理分歧";
    OTHER "something else, see the note" "其他，见说明";
    STORE "Store the decision" "保存裁决";
    STORE_NEXT "Store and open the next" "保存并打开下一个";
    ANSWERS "What people answered" "人工标注";
    NO_ANSWERS "Nobody has answered yet." "尚无人标注。";
    VERDICTS "What judges said" "评审结果";
    NO_VERDICTS "No judge has judged it." "尚无评审结果。";
    EARLIER "Decisions so far" "历次裁决";
    NO_EARLIER "Nobody has decided yet." "尚未裁决。";
    HOLDS "The newest one holds: report cards count it instead of the majority." "以最新一次为准：评估卡以裁决代替多数意见。";
    PASSES_WHEN "Passes" "通过";
    FAILS_WHEN "Fails" "不通过";
    EXAMPLES "Examples" "示例";
    WHO "Who" "标注员";
    ANSWER "Answer" "回答";
    PHASE "Phase" "阶段";
    BLIND "blind" "盲评";
    REVISED "revised" "修订";
    COMMENT "Comment" "备注";
    WHEN "When" "时间";
    RATIONALE "Rationale" "理由";
    WHOLE_SAMPLE "The whole sample" "查看整条样本";
    BACK "Back to the list" "返回列表";
    FIRST_PAGE "First page" "第一页";
    DECIDE "Decide" "裁决";
    ESCALATIONS "Escalations" "上报";
    ESCALATIONS_HINT "What the guideline does not decide, as people sent it. Each ends in a version of the rubric that answers it, or in an explicit won't." "标注员依据评分标准无法判断的样本。每条须以回答该问题的评分标准版本，或明确的“不修改”结束。";
    NO_ESCALATIONS "Nobody has escalated a sample." "尚无上报。";
    ESCALATED_CASES "Decide on the escalated samples" "裁决已上报的样本";
    HOW_IT_ENDS "How it ends" "处理结果";
    GUIDELINE "the guideline answers it" "已在评分标准中说明";
    WONT "won't change" "不修改";
    END_IT "End the escalation" "结束上报";
}

/// A state of a case.
pub(crate) fn state(lang: Lang, state: &str) -> &'static str {
    let text: Text = match state {
        "open" => OPEN,
        "escalated" => ESCALATED,
        "tied" => TIED,
        "disagreeing" => DISAGREEING,
        "judge_fail_people_pass" => JUDGE_FAIL,
        "judge_pass_people_fail" => JUDGE_PASS,
        "adjudicated" => ADJUDICATED,
        "ambiguous" => AMBIGUOUS,
        "agreed" => AGREED,
        _ => ANY,
    };
    text.get(lang)
}

/// An order of cases.
pub(crate) fn order(lang: Lang, sort: &str) -> &'static str {
    match sort {
        "confidence" => BY_CONFIDENCE.get(lang),
        "newest" => BY_NEWEST.get(lang),
        _ => BY_NEED.get(lang),
    }
}

/// An outcome.
pub(crate) fn outcome(lang: Lang, outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => super::common::PASS.get(lang),
        Outcome::Fail => super::common::FAIL.get(lang),
        Outcome::Ambiguous => AMBIGUOUS.get(lang),
    }
}

/// A reason.
pub(crate) fn reason(lang: Lang, reason: Reason) -> &'static str {
    match reason {
        Reason::GuidelineGap => GUIDELINE_GAP.get(lang),
        Reason::Slip => SLIP.get(lang),
        Reason::Ambiguous => MAY_DIFFER.get(lang),
        Reason::Other => OTHER.get(lang),
    }
}

/// How many match.
pub(crate) fn matching(lang: Lang, total: u64, open: bool) -> String {
    let n = super::count(i64::try_from(total).unwrap_or(i64::MAX));
    match (lang, open) {
        (Lang::En, true) if total == 1 => "1 decision needs a lead.".into(),
        (Lang::En, true) => format!("{n} decisions need a lead."),
        (Lang::En, false) => format!("n = {n} decisions match."),
        (Lang::Zh, true) => format!("有 {n} 个判断需要裁决。"),
        (Lang::Zh, false) => format!("共 {n} 个判断符合条件。"),
    }
}

/// What was stored.
pub(crate) fn decided(lang: Lang, n: u32) -> String {
    match lang {
        Lang::En if n == 1 => "1 decision is stored; report cards count it.".into(),
        Lang::En => format!("{n} decisions are stored; report cards count them."),
        Lang::Zh => format!("已保存 {n} 项裁决，评估卡将据此统计。"),
    }
}
