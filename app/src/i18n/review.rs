//! Words of the review page.

use super::texts;
use concord_domain::{BehaviourKind, Lang};

texts! {
    USER_ZONE "The user" "用户";
    SAMPLE_ZONE "The sample" "样本";
    CRITERIA_ZONE "Criteria" "评审标准";
    NO_USER "No user is attached to this sample." "该样本没有关联用户。";
    NO_HISTORY "No behaviour is recorded." "没有行为记录。";
    AS_OF "as of" "截至";
    CITED "cited" "被引用";
    REASON "Reason given" "给出的依据";
    CONTEXT "Context" "背景";
    LONG_TERM "long-term interest" "长期兴趣";
    CURRENT "current interest" "近期兴趣";
    ALL_TASKS "All" "全部";
    GUIDELINE "Guideline" "标准说明";
    PASSES_WHEN "Passes when" "通过：";
    FAILS_WHEN "Fails when" "不通过：";
    COMMENT "Comment" "备注";
    COMMENT_HINT "Anything worth knowing (c)" "其他说明（c）";
    SKIP "Skip" "跳过";
    UNDO "Undo" "撤销";
    SUBMIT "Submit" "提交";
    SENDING "Sending…" "正在提交…";
    KEEP "Keep all" "全部保留";
    REVISE "Save revision" "保存修改";
    GO_ON "Go on" "继续下一条";
    KEYS "Keys" "快捷键";
    CLOSE "Close" "关闭";
    TODAY "today" "今日";
    LEFT "left" "剩余";
    QUEUE_EMPTY "Nothing left in your queue" "队列已清空";
    QUEUE_EMPTY_HINT "New samples appear here when a generation writes them or a place opens. Undo (z) reopens your last sample." "有新样本生成或名额空出时会出现在这里。按 z 可重新打开上一条样本。";
    LOOK_AGAIN "Look again" "再看看";
    SKIP_TITLE "Skip this sample?" "跳过该样本？";
    SKIP_EFFECT "It goes back to the queue for somebody else. Your draft answers are dropped." "样本将退回队列由他人评审，已填的草稿会清除。";
    SKIP_UNSURE "I cannot decide" "无法判断";
    SKIP_LANGUAGE "I do not know the language or the domain" "不熟悉该语言或领域";
    SKIP_BROKEN "The sample is broken or unreadable" "样本损坏或无法阅读";
    SKIP_HARMFUL "It is offensive or unsafe" "内容令人不适或不安全";
    SKIP_ASK "The guideline does not decide it: ask a lead" "标准无法判断：请负责人裁定";
    ASK_WHAT "What can you not decide?" "哪一点无法判断？";
    ASK_DO "Ask a lead" "提交给负责人";
    SKIP_MORE "More, if you like" "补充说明（可选）";
    SKIP_DO "Skip sample" "跳过样本";
    CANCEL "Cancel" "取消";
    SAME "same as you" "与您一致";
    DIFFERS "differs from you" "与您不同";
    UNREADABLE "the judge's answer could not be read" "评审模型的回答无法解析";
    NO_RATIONALE "No rationale written yet." "尚未写出理由。";
    P_PASS "P(pass)" "通过概率";
    ALL_SAME "The judge agrees with you on everything." "评审模型与您完全一致。";
    NOT_JUDGED "Answer stored. The judge has not looked at this sample yet." "已保存。评审模型尚未评审该样本。";
    ALL_ANSWERED "All answered. Enter submits." "已全部作答，按 Enter 提交。";
    KEPT_HERE "The network is away. Your answer is kept here and will be sent again." "网络中断。您的回答已保存在本地，将自动重新发送。";
    STORED_LATE "Back online: everything is sent." "网络恢复：全部已发送。";
    NOTHING_TO_UNDO "Nothing to undo." "没有可撤销的操作。";
    REOPENED "Reopened your last sample: a change is stored as a revision." "已重新打开上一条样本：修改将作为修订保存。";
    UNDONE "Undone." "已撤销。";
    SKIPPED "Skipped." "已跳过。";
    ESCALATED "A lead will look at it." "已提交，负责人将处理。";
    UNSUPPORTED "does not support it" "不支持";
    ASSISTED "Here the judge's verdicts come first, on purpose. Answer as you see it yourself." "本条特意先显示评审模型的结论，请按您自己的判断作答。";
    LINKED " People failed what it rests on: " " 其依据未通过人工评审：";
    REVISED "Revision stored." "修订已保存。";
    KEPT "Kept." "已保留。";
    KEY_ANSWERS "pass for criterion 1, 2, 3, 4" "标准 1、2、3、4 通过";
    KEY_FAILS "fail: the letter below the digit; again for the next label" "不通过：数字下方的字母；再按切换到下一个选项";
    KEY_SUBMIT "submit, keep or save the revision" "提交、保留或保存修改";
    KEY_KEEP "keep all answers after the reveal" "揭示后保留全部回答";
    KEY_UNDO "undo; on an empty draft, reopen the last sample" "撤销；草稿为空时重新打开上一条";
    KEY_SKIP "skip with a reason" "跳过并说明原因";
    KEY_ASK "ask a lead" "请负责人裁定";
    KEY_EVIDENCE "next cited line; Enter marks it as not supporting the sample" "下一条被引用的行；按 Enter 标记为不支持";
    KEY_COMMENT "write a comment" "写备注";
    KEY_LEAVE "leave the comment or close" "离开备注或关闭";
    KEY_HELP "this sheet" "打开本表";
}

/// What a behaviour is called.
pub(crate) fn kind(lang: Lang, kind: BehaviourKind) -> &'static str {
    let (en, zh) = match kind {
        BehaviourKind::Search => ("searched", "搜索"),
        BehaviourKind::View => ("saw", "浏览"),
        BehaviourKind::DetailView => ("read details", "看详情"),
        BehaviourKind::ReviewRead => ("read reviews", "看评价"),
        BehaviourKind::Favourite => ("favourited", "收藏"),
        BehaviourKind::Cart => ("put in cart", "加购"),
        BehaviourKind::Purchase => ("bought", "购买"),
    };
    super::Text::new(en, zh).get(lang)
}

/// How many criteria still want an answer.
pub(crate) fn answered(lang: Lang, done: usize, all: usize) -> String {
    match lang {
        Lang::En => format!("{done} of {all} answered"),
        Lang::Zh => format!("已答 {done} / {all}"),
    }
}

/// Where the judge differs, by title.
pub(crate) fn differs_on(lang: Lang, titles: &[String]) -> String {
    match lang {
        Lang::En => format!("The judge differs on {}: {}.", titles.len(), titles.join(", ")),
        Lang::Zh => format!("评审模型在 {} 项上与您不同：{}。", titles.len(), titles.join("、")),
    }
}

/// Answers that wait for the network.
pub(crate) fn waiting(lang: Lang, n: usize) -> String {
    match (lang, n) {
        (Lang::En, 1) => "Offline: 1 answer waiting, will be sent.".into(),
        (Lang::En, n) => format!("Offline: {n} answers waiting, will be sent."),
        (Lang::Zh, n) => format!("离线：{n} 条回答等待发送。"),
    }
}

/// What was read of the log, and what was left out.
pub(crate) fn read_of(lang: Lang, history: &concord_domain::History) -> String {
    let (all, reliable, lines) = (history.behaviours, history.reliable, history.dropped_lines);
    match (lang, lines) {
        (Lang::En, 0) => format!("{reliable} of {all} behaviours are reliable"),
        (Lang::En, _) => {
            format!("{reliable} of {all} behaviours are reliable; {lines} oldest lines left out")
        }
        (Lang::Zh, 0) => format!("{all} 条行为中 {reliable} 条可靠"),
        (Lang::Zh, _) => format!("{all} 条行为中 {reliable} 条可靠；最早 {lines} 行未列出"),
    }
}
