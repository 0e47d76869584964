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
    STEP_RELABEL "Relabel: give samples that the monitor has read to one more person each" "重新标注：将监测器读过的样本再交给一位标注员";
    STEP_RECALIBRATE "Retrain or recalibrate the judge" "重新训练或校准评审模型";
    STEP_CERTIFY "Attempt a new certificate on labels that no attempt has read" "用先前尝试未读过的标注签发新证书";
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
    CERTIFICATE "Certificate" "证书";
    ACCEPTED "Accepted" "已自动接受";
    RANG_AT "The alarm rang at label" "报警发生于第几条标注：";
    OPENED_AT "Opened" "开始于";
    STEP_DONE "done" "已执行";
    STEP_WAITING "to do" "待办";
    HOW_MANY "How many, drawn evenly" "数量（均匀抽取）";
    GIVE_AGAIN "Give to people" "交给标注员";
    ATTEMPT_UNSEEN "Attempt on unseen labels" "用未读标注尝试";
    ANEW_HINT "With the ε and δ of the suspended certificate. Another judge that has taken its place may be named." "沿用被暂停证书的 ε 与 δ；若评审模型已更换，可填写新的名称。";
    RECALIBRATE "Recalibrate" "校准";
    RECALIBRATE_HINT "Fitted on blind labels of the train half. It makes another judge: certificates of this one are void, and its verdicts are read anew from stored logits." "以训练分区的盲评标注拟合。校准后即为新的评审模型：原有证书作废，评审结果由已存 logits 重新读出。";
    JUDGES "Judges" "评审模型";
    CLOSE "Close" "结束";
    SAMPLING "Sampling" "抽样";
    RATES "How much people look at" "人工查看比例";
    RATES_HINT "Of the judged samples of the audit half, each is drawn with this probability by what the judge says of the whole sample; estimates weigh by it. It holds for samples that come from now on. While a certificate's monitor warns, everything is doubled." "审计分区中已评审的样本按评审结论以此概率抽取，估计时据此加权。仅对此后的样本生效；证书的漂移监测预警期间，比例加倍。";
    RATE_PASS "Where the judge passes" "评审通过的";
    RATE_FAIL "Where the judge fails" "评审不通过的";
    FLOOR "Of what certificates accept (floor)" "证书自动接受的（下限）";
    SET_RATES "Set rates" "保存比例";
    SPEND "What should labels be spent on?" "标注应如何分配？";
    SPEND_HINT "Neyman's allocation: more where there are more samples and where people disagree more with the verdict." "Neyman 分配：样本越多、与人工分歧越大的结论，分得越多。";
    BUDGET "Labelled samples" "标注样本数";
    ALLOCATE "Allocate" "分配";
    SAMPLES "Samples" "样本数";
    SPREAD "Spread" "离散度";
    LABELS "Labels" "标注数";
    SET_THESE "Set these rates" "采用这些比例";
    WEBHOOKS "Webhooks" "Webhook";
    WEBHOOKS_HINT "These addresses are told when a certificate is issued, voided or suspended and when a drift alarm rings. Messages are signed (Standard Webhooks, HMAC-SHA256) and tried again for about three hours." "证书签发、作废、暂停或漂移报警时，会通知这些地址。消息带签名（Standard Webhooks，HMAC-SHA256），失败后约三小时内重试。";
    NO_WEBHOOKS "No address is told yet." "尚未登记地址。";
    ADDRESS "Address" "地址";
    TOLD_OF "Told of" "通知事件";
    DELIVERED "delivered" "已送达";
    WAITING "waiting" "等待中";
    GIVEN_UP "given up" "已放弃";
    ACTIONS "Actions" "操作";
    PING "Send ping" "发送测试";
    REMOVE "Remove" "移除";
    REGISTER "Register address" "登记地址";
    SECRET "Signing secret" "签名密钥";
    SECRET_HINT "It is shown this once. Verify messages with it at" "仅显示这一次。请用它验证发往此处的消息：";
    DELIVERIES "Messages" "消息";
    NO_DELIVERIES "Nothing was sent yet." "尚未发送消息。";
    WHEN "When" "时间";
    EVENT "Event" "事件";
    TRIES "Tries" "尝试次数";
    ANSWER "Last answer" "最近结果";
    WEIGHTED "sampling was unequal: weighted by 1/π" "抽样概率不等：按 1/π 加权";
}

/// How much a report does not count yet.
pub(crate) fn waiting(lang: Lang, n: u64) -> String {
    let n = super::count(i64::try_from(n).unwrap_or(i64::MAX));
    match lang {
        Lang::En => {
            format!("{n} changed samples are not in these numbers yet; counting goes on. Reload to see more.")
        }
        Lang::Zh => format!("还有 {n} 个变更的样本未计入，统计仍在进行；刷新页面可查看最新结果。"),
    }
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
    let labels = super::count(i64::try_from(labels).unwrap_or(i64::MAX));
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

/// What a certificate has accepted.
pub(crate) fn accepted(lang: Lang, accepted: u64, reopened: u64) -> String {
    let n = |n: u64| crate::i18n::count(i64::try_from(n).unwrap_or(i64::MAX));
    match (lang, reopened) {
        (Lang::En, 0) => format!("{} accepted", n(accepted)),
        (Lang::En, _) => format!("{} accepted, {} back with people", n(accepted), n(reopened)),
        (Lang::Zh, 0) => format!("已接受 {}", n(accepted)),
        (Lang::Zh, _) => format!("已接受 {}，退回人工 {}", n(accepted), n(reopened)),
    }
}

/// What people found in what a certificate has accepted.
pub(crate) fn found_since(lang: Lang, audited: u64, errors: u64) -> String {
    match lang {
        Lang::En => format!("{audited} looked at since, {errors} wrong"),
        Lang::Zh => format!("其后抽查 {audited}，错误 {errors}"),
    }
}

/// How far relabelling is and what it says.
pub(crate) fn relabelled(lang: Lang, of: concord_domain::Relabelled) -> String {
    let concord_domain::Relabelled { asked, answered, judge, first } = of;
    match lang {
        Lang::En => format!(
            "{answered} of {asked} answered again. The new answer is the judge's in {judge} and the first person's in {first} of them."
        ),
        Lang::Zh => format!(
            "{asked} 条中已重新标注 {answered} 条：其中 {judge} 条与评审一致，{first} 条与首次标注一致。"
        ),
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
