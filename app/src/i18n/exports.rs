//! Words of the exports page.

use super::{Text, count, texts};
use concord_domain::Lang;

texts! {
    POLICY "What to export" "导出内容";
    TARGET "For" "用途";
    LAYOUTS "Columns for" "列格式";
    FORMATS "Files" "文件格式";
    EVIDENCE "What decides" "判定依据";
    EVIDENCE_BLIND "people, blind (independent)" "人工盲评（独立）";
    EVIDENCE_FINAL "people, final (revised where there is one)" "人工最终（有修订则取修订）";
    EVIDENCE_NONE "no people" "不采用人工回答";
    ADJUDICATED "a lead's decision, above answers" "负责人裁决（优先于回答）";
    AUTO "a verdict under a live certificate, where nobody answered" "有效证书下的自动评审（无人回答时）";
    MIN_PEOPLE "People a sample, at least" "每条样本至少人数";
    MIN_AGREEMENT "Share that agrees, instead" "或：最低一致比例";
    MUST_AGREE "They must agree" "一致性要求";
    UNANIMOUS "unanimously" "全体一致";
    MAJORITY "by majority" "多数一致";
    REQUIRE_JUDGE "The judge must say the same" "评审模型须得出相同结论";
    REDACT "Mask mail addresses and long numbers" "遮盖邮箱地址和长数字";
    NONE_IS_ALL "none ticked: all" "不选即全部";
    LANGUAGES "Languages" "语言";
    ROUNDS "Generations, by number" "生成批次编号";
    RUBRICS "Rubric versions" "评审准则版本";
    EMPTY_IS_ALL "empty: all" "留空即全部";
    LIMITS "Limits and draws" "上限与抽取";
    CAP_USER "Rows a user, at most" "每用户最多行数";
    CAP_CATEGORY "Of these a category" "每类目最多行数";
    HOLD_OUT "Share of users held out" "留出用户比例";
    SEED "Seed" "随机种子";
    BALANCE "Balance passes and fails (KTO and judge)" "平衡通过与未通过（KTO 与评审）";
    RATIO "Commoner for each rarer" "多数类与少数类之比";
    MINORITY_ROUNDS "Rarer from newest rounds" "少数类取最近轮数";
    HALF_LIFE "Half-life, days" "半衰期（天）";
    PREVIEW "Preview" "预览";
    PREVIEW_TITLE "This policy takes, now" "按此条件当前可导出";
    ROWS "Rows" "行数";
    CLASS "Class" "类别";
    DECIDED_BY "Decided by" "依据";
    LENGTHS "Characters of prompt and answer" "提示与回答的字符数";
    UP_TO "at most" "不超过";
    TEN_ROWS "Ten rows, drawn by the seed" "按种子抽取的十行";
    REJECTED "Rejected" "被拒绝";
    AS_FILE "The same as a file, for concord export --policy" "同样的条件文件，可用于 concord export --policy";
    START_EXPORT "Start export" "开始导出";
    NOTHING_AGREED "Nothing fits this policy yet: label more samples of the train half, or ask for less agreement." "尚无符合条件的样本：请标注更多训练分区样本，或放宽一致性要求。";
    WRONG_POLICY "This policy cannot be run" "此条件无法执行";
    EXPORT_LIST "Exports so far" "历次导出";
    LOOK_AGAIN "Look again" "刷新";
    NO_EXPORTS "No export yet." "尚未导出。";
    FILES "Files" "文件";
    TRAIN_HALF_ONLY "Only the train half is exported, and no gold question; the audit half stays untouched." "仅导出训练分区，且不含标准题；审计分区保持不动。";
    SFT_CHAT "SFT, chat" "SFT（对话）";
    PROMPT_COMPLETION "SFT, prompt and completion" "SFT（提示与补全）";
    PREFERENCE "DPO, pass over fail" "DPO（通过优于未通过）";
    KTO "KTO, pass or fail" "KTO（通过或未通过）";
    REWARD "Reward model, S over A over B" "奖励模型（S > A > B）";
    JUDGE "Judge, verdict and reason" "评审模型（判定与理由）";
    HUMAN_BLIND "people, blind" "人工盲评";
    HUMAN_FINAL "people, final" "人工最终";
    BY_LEAD "a lead" "负责人裁决";
    BY_CERTIFICATE "a certificate" "证书";
}

/// What rows are for.
pub(crate) fn target(target: &str) -> Text {
    match target {
        "prompt_completion" => PROMPT_COMPLETION,
        "preference" => PREFERENCE,
        "kto" => KTO,
        "reward" => REWARD,
        "judge" => JUDGE,
        _ => SFT_CHAT,
    }
}

/// What decided a row.
pub(crate) fn evidence(evidence: &str) -> Text {
    match evidence {
        "human_final" => HUMAN_FINAL,
        "adjudicated" => BY_LEAD,
        "auto" => BY_CERTIFICATE,
        _ => HUMAN_BLIND,
    }
}

/// Samples that people or a certificate have decided and a policy leaves out.
pub(crate) fn left_out(lang: Lang, n: i64) -> String {
    match lang {
        Lang::En => format!("{} decided samples are left out.", count(n)),
        Lang::Zh => format!("{} 条已有结论的样本未被采用。", count(n)),
    }
}

/// Rows kept apart.
pub(crate) fn held_out(lang: Lang, n: i64) -> String {
    match lang {
        Lang::En => format!("{} of these rows are held out, by user, in eval files.", count(n)),
        Lang::Zh => format!("其中 {} 行按用户留出，写入 eval 文件。", count(n)),
    }
}

/// How many generations there are.
pub(crate) fn rounds(lang: Lang, n: i64) -> String {
    match lang {
        Lang::En => format!("1 to {n}; empty: all"),
        Lang::Zh => format!("1 至 {n}；留空即全部"),
    }
}
