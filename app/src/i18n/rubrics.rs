//! Words of the rubric pages.

use super::texts;
use concord_domain::Lang;

texts! {
    TITLE "Rubrics" "评分标准";
    VERSION "Version" "版本";
    CURRENT "current" "当前";
    OLDER "older" "历史";
    ORIGIN "Origin" "来源";
    SHIPPED "Concord or a lead" "Concord 或负责人";
    IMPORTED "made by an import" "由导入生成";
    SAMPLES "Samples" "样本";
    STORED "Stored" "保存时间";
    CRITERIA "Criteria" "标准";
    EDIT "Edit as a new version" "编辑为新版本";
    COMPARE "Compare" "比较";
    NEW "New task" "新建任务";
    NONE "No rubric yet" "尚无评分标准";
    NONE_HINT "The rubrics of the three tasks are stored when the server starts; an import makes one of what its labels name." "三个任务的评分标准会在服务启动时写入；导入时会根据标注中的标准自动生成。";
    QUESTION "Question" "问题";
    PASSES "Passes" "通过";
    FAILS "Fails" "不通过";
    LABELS "Answers" "答案";
    LABEL "Answer" "答案";
    SIDE "Counts as" "计为";
    EXAMPLES "Examples" "示例";
    WHY "Why" "理由";
    ORDERED "in order, best first" "有序，从好到差";
    UNORDERED "names only" "仅名称";
    EDIT_TITLE "Edit a rubric" "编辑评分标准";
    EDIT_HINT "A stored version never changes: count the version up. Its second number where only words change, its first where criteria or answers do." "已保存的版本不会改变，请提高版本号：仅措辞变化时提高第二位，标准或答案变化时提高第一位。";
    TEXT "Rubric as TOML" "评分标准 (TOML)";
    CHECK "Check" "检查";
    PUBLISH "Publish" "发布";
    FIRST "The first version of this task." "该任务的首个版本。";
    SAME "This version is stored already; publishing makes it current." "该版本已保存；发布会将其设为当前版本。";
    MINOR "A minor change: labels stay comparable, certificates stay." "次要变更：标注仍可比较，证书继续有效。";
    MAJOR "A major change: labels before and after are not pooled." "主要变更：变更前后的标注不合并统计。";
    VOIDS "These certificates end at once:" "以下证书将立即失效：";
    VOIDS_NONE "No certificate is live, so none ends." "当前没有有效证书，因此没有证书失效。";
    BREAKS "What makes labels incomparable" "导致标注不可比较的变化";
    PUBLISHED "This version is published: new samples are reviewed by it." "该版本已发布：新样本将按此标准评审。";
    NO_CHANGE "No line differs." "没有差异。";
    ADDED "added" "新增";
    REMOVED "removed" "删除";
    BACK "All rubrics" "全部评分标准";
}

/// A language as its readers call it.
pub(crate) fn language(code: &str) -> String {
    match code {
        "en" => "English".into(),
        "zh" => "中文".into(),
        other => other.into(),
    }
}

/// How many samples take the new version.
pub(crate) fn moving(lang: Lang, samples: u64) -> String {
    let n = super::count(i64::try_from(samples).unwrap_or(i64::MAX));
    match lang {
        Lang::En => format!("Samples that nobody has been given yet take it: {n}. Others keep theirs."),
        Lang::Zh => format!("尚未分配的 {n} 条样本将采用新版本，其余样本保持原版本。"),
    }
}
