//! Words of the pages about the review programme and its gold questions.

use super::texts;
use concord_domain::Lang;

texts! {
    TITLE "Programme" "标注方案";
    SETTINGS "How this task is reviewed" "该任务的标注方式";
    STORED "Stored. It holds for what is handed out from now on." "已保存，对此后分发的任务生效。";
    SAVE "Save" "保存";
    QUEUE "Handing out" "分发";
    CHECKS "Checks" "核查";
    SIGHT "Verdicts in view" "可见评审结果";
    OVERLAP "People a sample" "每条样本人数";
    LEASE "Seconds a lease lasts" "租约时长（秒）";
    AUDIT_SHARE "Share of draws for the audit" "审计抽取占比";
    GOLD_RATE "Share that are gold questions" "金标准占比";
    REPEAT_RATE "Share that repeat one's own" "重复自评占比";
    REPEAT_AFTER "Days before a repeat" "重复间隔（天）";
    THIRD "One more person" "增加一人";
    THIRD_NEVER "never: a lead decides" "从不：由负责人裁决";
    THIRD_TIE "where people are tied" "意见持平时";
    THIRD_ANY "where any two disagree" "任意两人不一致时";
    ASSISTED "Some learning samples show the verdicts before the answer" "部分学习样本在作答前显示评审结果";
    ASSISTED_RATE "Share of them, by chance" "随机比例";
    ASSISTED_HINT "They are marked, stay out of every estimate, and measure what the sight of a verdict does." "此类样本会被标记，不计入任何估计，用于衡量看到评审结果的影响。";
    ANCHORING "What seeing a verdict does" "看到评审结果的影响";
    GOLD "Gold questions" "金标准题";
    GOLD_HINT "Samples with known answers, served like any other. Whoever opens this list is never asked them." "答案已知的样本，与其他样本一样分发。打开此列表的人不会再被分到这些题。";
    NO_GOLD "No gold question yet. Open a sample and give its right answers." "尚无金标准题。打开一条样本并给出正确答案。";
    TO_SAMPLES "To the samples" "前往样本";
    SAMPLE "Sample" "样本";
    RIGHT "Right answers" "正确答案";
    SHARE "People right" "答对比例";
    STATE "State" "状态";
    SERVED "served" "分发中";
    WAITING "waits for its audit" "等待审计完成";
    RETIRED "retired" "已停用";
    RETIRE "Retire" "停用";
    CHANGE "Change" "修改";
    MAKE_GOLD "Make it a gold question" "设为金标准题";
    ONE_GOLD "Gold question" "金标准题";
    ONE_HINT "One right answer a criterion, with the reason that people read after they have answered." "每个标准给出一个正确答案和理由；标注者作答后可看到理由。";
    ADJUDICATED_HINT "Leave everything empty to take the answers of the last adjudications." "全部留空则采用最近一次裁决的答案。";
    REASON "Why it is right" "理由";
}

/// How many people were right, of how many.
pub(crate) fn right(lang: Lang, correct: i64, n: i64) -> String {
    match lang {
        Lang::En => format!("{correct} of {n}"),
        Lang::Zh => format!("{n} 个回答中 {correct} 个正确"),
    }
}
