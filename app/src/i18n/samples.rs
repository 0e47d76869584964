//! Words of the sample pages.

use super::texts;

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
    NO_VERDICT "No judge has answered yet." "尚无模型评审。";
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
    ENGLISH "English" "英文";
    CHINESE "Chinese" "中文";
}
