//! Words of the audit pages.

use super::{Text, texts};
use concord_domain::Lang;

texts! {
    TITLE "Audit" "审计";
    RUBRIC "rubric" "评分标准";
    TIED "tied or ambiguous" "平票或有歧义";
    NO_VERDICT "without a verdict" "无评审结果";
    UNPARSED "verdict not readable" "结果无法解析";
    KAPPA_MAX "the most these margins allow" "给定边际下的最大值";
    LIVE "live" "有效";
    SUSPENDED "suspended" "已暂停";
    VOIDED "void" "已作废";
    NOTHING_FOUND "nothing certifiable" "无可签发";
    CARDS "Report cards" "评估卡";
    CARD "Report card" "评估卡";
    TASK "Task" "任务";
    JUDGE "Judge" "评审模型";
    CRITERION "Criterion" "标准";
    REFERENCE "Compared with" "对照";
    SHOW "Show" "显示";
    POOLED "all decisions" "全部判断";
    WHOLE "whole samples" "整条样本";
    NOTHING "Nothing to audit yet" "尚无可审计的内容";
    NOTHING_HINT "A card appears once people have labelled samples of the audit half that a judge has judged. Label some, or bring labels and verdicts made elsewhere:" "当有人标注了审计分区中已被模型评审的样本后，这里会出现评估卡。请先标注，或导入其他系统的标注与评审结果：";
    AGREEMENT "Agreement" "一致率";
    PRECISION "Precision" "精确率";
    RECALL "Recall" "召回率";
    SPECIFICITY "Bad outputs caught" "不合格识别率";
    NPV "Right when it fails" "判不通过的准确率";
    BALANCED "Balanced accuracy" "平衡准确率";
    F1 "F1" "F1";
    MCC "MCC" "MCC";
    KAPPA "Cohen's κ" "Cohen κ";
    AC1 "Gwet's AC1" "Gwet AC1";
    PREVALENCE "People pass" "人工通过率";
    ALPHA "People's own agreement (α)" "人工间一致性 (α)";
    HUMAN_AC1 "People's own agreement (AC1)" "人工间一致性 (AC1)";
    ALT_TEST "May it stand in for a person?" "能否替代一位标注员？";
    PASS_RATE "Pass rate" "通过率";
    BY_JUDGE "by the judge alone" "仅按评审模型";
    BY_PEOPLE "by people alone" "仅按人工";
    CORRECTED "Pass rate, corrected" "通过率（经标注校正）";
    DRIFT "Drift" "漂移";
    CERTIFICATES "Certificates" "证书";
    NOT_ESTIMABLE "not estimable" "无法估计";
    NO_INTERVAL "no interval" "无区间";
    SHARE_AXIS "0 to 1; the line is the 95 % interval" "0 到 1；线段为 95% 区间";
    MEASURE "Measure" "指标";
    ESTIMATE "Estimate and 95 % interval" "估计值与 95% 区间";
    METHOD "Method" "方法";
    CONFUSION "Judge against people" "评审与人工对照";
    CONFUSION_HINT "Each number opens the samples behind it." "点击数字查看对应样本。";
    PEOPLE_PASS "People pass" "人工通过";
    PEOPLE_FAIL "People fail" "人工不通过";
    JUDGE_PASS "Judge passes" "评审通过";
    JUDGE_FAIL "Judge fails" "评审不通过";
    RELIABILITY "Is it as sure as it is right?" "置信度是否可信？";
    RELIABILITY_AXIS "Probability of pass the judge gave, against the share that people pass" "横轴：评审给出的通过概率；纵轴：人工通过比例";
    BIN "Probability" "概率区间";
    MEAN_P "Mean" "平均";
    SLICES "By slice" "分组查看";
    SLICE "Slice" "分组";
    PAIRS "Judges on the same decisions" "评审模型两两比较";
    BOTH_RIGHT "Both right" "都对";
    ONLY_FIRST "Only the first" "仅前者对";
    ONLY_SECOND "Only the second" "仅后者对";
    NEITHER "Neither" "都错";
    P_VALUE "p (McNemar)" "p（McNemar）";
    CSV "Download CSV" "下载 CSV";
    DATA "Data" "数据";
    ISSUE "Issue certificate" "签发证书";
    ISSUE_HINT "Grid and starts are drawn from unlabelled verdicts and stored before a label is read. Every attempt is kept; another one on the same labels has half of what is left of δ." "阈值网格与起点取自未标注的评审结果，在读取标注前即已保存。每次尝试都会留存；在相同标注上再次尝试时，可用的 δ 减半。";
    EPS "ε: disagreement allowed" "ε：允许的不一致比例";
    DELTA "δ: probability of being wrong" "δ：允许出错的概率";
    VERDICT "Verdict" "结论";
    UNSEEN "Only labels that no earlier attempt has read" "仅使用先前尝试未读过的标注";
    STATEMENT "Of imported labels I state:" "对于导入的标注，我声明：";
    UNIFORM "they are a uniform sample of the judged samples" "它们是已评审样本的均匀抽样";
    BLIND "they were given without seeing the verdicts" "标注时未看到评审结果";
    STATUS "Status" "状态";
    THRESHOLD "From confidence" "置信度阈值";
    COVERAGE "Covers" "覆盖";
    ERRORS "Errors" "错误";
    UCB "Upper bound" "上界";
    SPENT "δ spent" "已用 δ";
    CHAINS "Where the chains stopped" "各检验链的终止处";
    BY "By" "签发人";
    WHY "Why" "原因";
    VOIDS "It ends at once when the judge, its prompt or the major version of the rubric changes, or when the drift alarm rings. It promises agreement with these people's reference, not truth." "评审模型、提示词或评分标准主版本变更，或漂移报警时，证书立即失效。证书保证的是与人工标注的一致，而非绝对正确。";
    VOID "Void certificate" "作废证书";
    VOID_WHY "Why it ends" "作废原因";
    NO_CERTIFICATES "No attempt yet." "尚无尝试。";
    STATISTIC "Statistic (e-SR)" "统计量 (e-SR)";
    ALARM_LINE "alarm" "报警线";
    MONITORS "Drift monitors" "漂移监测";
    MONITOR_HINT "Each reads the first blind label of every audited sample, in the order of the log. False alarms are on average at least as many labels apart as the alarm line says." "每个监测器按日志顺序读取每条审计样本的首个盲评标注。误报之间平均至少间隔报警线所示的标注数。";
    NO_LABELS_YET "no label read yet" "尚未读取标注";
    STATE_OK "steady" "稳定";
    STATE_WARNING "warning" "预警";
    STATE_ALARM "alarm" "报警";
    INVESTIGATIONS "Investigations" "调查";
    INVESTIGATION "Investigation" "调查";
    NO_INVESTIGATIONS "No alarm has rung." "尚无报警。";
    PLAN "Plan" "计划";
    STEP_RELABEL "Relabel: have people label about 30 recent samples, and read where they differ" "重新标注：请人标注约 30 条近期样本，查看分歧所在";
    STEP_RECALIBRATE "Recalibrate or retrain the judge" "重新校准或训练评审模型";
    STEP_CERTIFY "Attempt a new certificate" "尝试签发新证书";
    STEP_CLOSE "Close the investigation" "结束调查";
    NOTE "What came of it" "结果说明";
    NOTE_STEP "Note step" "记录";
    OPEN "open" "进行中";
    CLOSED "closed" "已结束";
    DIFFER "Where judge and people differ" "评审与人工不一致之处";
    SUREST "surest verdicts first" "按置信度降序";
    SAMPLE "Sample" "样本";
    VOTES "Votes" "票数";
    NEXT_PAGE "Next page" "下一页";
    PREVIOUS_PAGE "Previous page" "上一页";
    NONE_HERE "None here." "此处没有。";
    LABELLED_ELSEWHERE "labelled elsewhere: blind as the importer says" "外部标注：是否盲评以导入方声明为准";
    WEIGHTED "sampling was unequal: weighted by 1/π" "抽样概率不等：按 1/π 加权";
}

/// A criterion as people read it.
pub(crate) fn criterion(lang: Lang, name: &str) -> String {
    match name {
        "*" => POOLED.get(lang).to_owned(),
        "all" => WHOLE.get(lang).to_owned(),
        other => other.replace('_', " "),
    }
}

/// What certificates allow, in one sentence.
pub(crate) fn may_accept(
    lang: Lang,
    verdict: &str,
    criterion: &str,
    c: &concord_domain::CardCertificate,
) -> String {
    let threshold = c.threshold.unwrap_or(1.0);
    let (eps, sure) = (c.eps * 100.0, (1.0 - c.delta) * 100.0);
    let covers = c.coverage.unwrap_or(0.0) * 100.0;
    match lang {
        Lang::En => {
            let attempt = match c.attempt {
                0 => "on labels unseen before".to_owned(),
                1 => "first attempt".to_owned(),
                k => format!("attempt {k}"),
            };
            format!(
                "May accept {} on {criterion} at a confidence of {threshold:.3} or more: at most {eps:.0} % disagree with people's blind answers, {sure:.0} % sure, {attempt}, {covers:.0} % of such verdicts (n = {}, {} errors).",
                verdict.to_uppercase(),
                c.n,
                c.errors
            )
        }
        Lang::Zh => {
            let verdict = if verdict == "pass" { "通过" } else { "不通过" };
            format!(
                "置信度不低于 {threshold:.3} 时，可自动接受“{criterion}”的“{verdict}”结论：与人工盲评不一致的比例至多 {eps:.0}%，把握 {sure:.0}%，覆盖 {covers:.0}% 的此类结论（n = {}，错误 {}）。",
                c.n, c.errors
            )
        }
    }
}

/// That there is no certificate.
pub(crate) fn none_live(lang: Lang, labels: u64) -> String {
    match lang {
        Lang::En => format!(
            "No certificate is live: people review everything. {labels} decisions are labelled beside verdicts."
        ),
        Lang::Zh => format!("当前没有有效证书：全部由人工评审。已有 {labels} 个判断同时具有标注与评审结果。"),
    }
}

/// How many more labels would do.
pub(crate) fn needed(lang: Lang, needed: Option<u64>, n: u64) -> String {
    match (lang, needed) {
        (Lang::En, Some(all)) => {
            format!("{} more labels would be needed if errors stay at this rate.", all.saturating_sub(n))
        }
        (Lang::En, None) => {
            "At this rate of errors no number of labels would do: look at where the judge is wrong first."
                .into()
        }
        (Lang::Zh, Some(all)) => format!("若错误率不变，还需约 {} 条标注。", all.saturating_sub(n)),
        (Lang::Zh, None) => "按此错误率，再多标注也无法签发：请先查看评审模型的错误之处。".into(),
    }
}

/// A status of an attempt.
pub(crate) fn status(lang: Lang, status: &str) -> &'static str {
    let text: Text = match status {
        "live" => LIVE,
        "suspended" => SUSPENDED,
        "void" => VOIDED,
        _ => NOTHING_FOUND,
    };
    text.get(lang)
}

/// A state of a detector.
pub(crate) fn state(lang: Lang, state: &str) -> &'static str {
    let text: Text = match state {
        "alarm" => STATE_ALARM,
        "warning" => STATE_WARNING,
        _ => STATE_OK,
    };
    text.get(lang)
}

/// What an alternative annotator test found.
pub(crate) fn alt_test(lang: Lang, of: &concord_domain::AltTest) -> String {
    match (lang, of.pass, of.winning_rate, of.advantage) {
        (Lang::En, Some(pass), Some(rate), Some(advantage)) => format!(
            "{}: it is as good as {:.0} % of {} people (ε = {}, advantage {advantage:.2})",
            if pass { "yes" } else { "no" },
            rate * 100.0,
            of.raters.len(),
            of.eps
        ),
        (Lang::Zh, Some(pass), Some(rate), Some(advantage)) => format!(
            "{}：不逊于 {} 位标注员中的 {:.0}%（ε = {}，优势 {advantage:.2}）",
            if pass { "可以" } else { "不可以" },
            of.raters.len(),
            rate * 100.0,
            of.eps
        ),
        _ => format!("{}: {}", NOT_ESTIMABLE.get(lang), of.why.as_deref().unwrap_or("")),
    }
}
