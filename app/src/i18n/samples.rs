//! Words of the sample and export pages.

use super::{count, texts};
use concord_domain::Lang;

texts! {
    TEXT "Text" "文本";
    USER "User" "用户";
    LANGUAGE "Language" "语言";
    HALF "Half" "分区";
    STATE "State" "状态";
    ANY "any" "不限";
    AUDIT "audit" "审计";
    TRAIN "train" "训练";
    UNLABELLED "unlabelled" "未标注";
    AGREE "people and judge agree" "人机一致";
    DISAGREE "people and judge differ" "人机不一致";
    MINE "labelled by me" "我已标注";
    FILTER "Filter" "筛选";
    CLEAR "Clear" "清除";
    NEXT_PAGE "Next page" "下一页";
    FIRST_PAGE "First page" "首页";
    NO_SAMPLES "No samples match." "没有符合条件的样本。";
    MADE_AT "Made at" "生成时间";
    YOU "You" "您";
    PEOPLE "People" "人工";
    JUDGE "Judge" "评审模型";
    LOWEST_P "lowest P" "最低概率";
    SAMPLE "Sample" "样本";
    LINKED "Rests on what people failed" "其依据未通过评审";
    UNSUPPORTED_LINE "Cited line found unsupported (people)" "不支持的引用行（人数）";
    MY_LABELS "Your answers" "您的回答";
    ALL_LABELS "Everybody's answers" "全部回答";
    UNPARSED "not readable" "无法读取";
    UNCALIBRATED "not calibrated: the model's own figure" "未校准：模型自身的数值";
    GRADE "Senior reviewer" "高级评审";
    VERDICTS "Verdicts" "模型评审";
    PROVENANCE "How it was made" "生成信息";
    CRITERION "Criterion" "标准";
    ANSWER "Answer" "回答";
    WHO "Who" "标注人";
    PHASE "Phase" "阶段";
    BLIND "blind" "盲评";
    REVISED "revised" "修订";
    WHEN "When" "时间";
    RATIONALE "Rationale" "理由";
    NONE_YET "None yet." "暂无。";
    BACK_TO_SAMPLES "All samples" "全部样本";
    POLICY "What to export" "导出内容";
    EVIDENCE "Answers that count" "采用的回答";
    EVIDENCE_BLIND "blind (independent)" "盲评（独立）";
    EVIDENCE_FINAL "final (revised where there is one)" "最终（有修订则取修订）";
    MIN_PEOPLE "People a sample, at least" "每条样本至少人数";
    MUST_AGREE "They must agree" "一致性要求";
    UNANIMOUS "unanimously" "全体一致";
    MAJORITY "by majority" "多数一致";
    REQUIRE_JUDGE "The judge must pass every criterion too" "评审模型也须全部通过";
    REDACT "Mask mail addresses and long numbers" "遮盖邮箱地址和长数字";
    ALL_TASKS_NOTE "none ticked: all" "不选即全部";
    LANGUAGES "Languages" "语言";
    ENGLISH "English" "英文";
    CHINESE "Chinese" "中文";
    PREVIEW "Preview" "预览";
    PREVIEW_TITLE "This policy takes, now" "按此条件当前可导出";
    ROWS "Rows" "行数";
    START_EXPORT "Start export" "开始导出";
    NOTHING_AGREED "Nothing fits this policy yet: label more samples of the train half, or ask for less agreement." "尚无符合条件的样本：请标注更多训练分区样本，或放宽一致性要求。";
    EXPORT_LIST "Exports so far" "历次导出";
    LOOK_AGAIN "Look again" "刷新";
    NO_EXPORTS "No export yet." "尚未导出。";
    FILES "Files" "文件";
    TRAIN_HALF_ONLY "Only the train half is exported; the audit half stays untouched." "仅导出训练分区；审计分区保持不动。";
}

/// Labelled samples that a policy leaves out.
pub(crate) fn left_out(lang: Lang, n: i64) -> String {
    match lang {
        Lang::En => format!("{} labelled samples are left out.", count(n)),
        Lang::Zh => format!("{} 条已标注样本不符合条件。", count(n)),
    }
}
