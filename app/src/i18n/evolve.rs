//! Words of the pages about rounds and trained models.

use super::{Text, texts};
use concord_domain::Lang;

texts! {
    TITLE "Self-training" "自我训练";
    LEAD "A round generates, judges, asks people, exports what they agree on, trains, and puts the new model in the place of the old one only where held-out labels say that it is better." "每一轮依次生成、评审、人工标注、导出一致结果、训练；只有当留出标注表明新模型更好时，才由它接替旧模型。";
    ROUNDS "Rounds" "轮次";
    ROUND "Round" "轮次";
    NO_ROUNDS "No round yet. Start one here, or run several on the demo world with simulated annotators:" "尚无轮次。可在此开始，或在演示世界上用模拟标注者运行多轮：";
    STATE "State" "状态";
    NOW "Now" "当前步骤";
    OUTCOME "Outcome" "结果";
    COST "Cost" "开销";
    STEP "Step" "步骤";
    STEPS "Steps" "各步骤";
    TOOK "Seconds" "秒";
    MADE "What it made" "产出";
    OPEN "running" "进行中";
    PEOPLE "waits for people" "等待人工标注";
    DONE "done" "完成";
    FAILED "failed" "失败";
    STOPPED "stopped" "已停止";
    SKIPPED "skipped" "已跳过";
    NOT_BEGUN "not begun" "未开始";
    PROMOTED "promoted" "已采用";
    REFUSED "refused" "未采用";
    ROLLED_BACK "taken back" "已回退";
    NO_MODEL "no new model" "无新模型";
    START "Start a round" "开始一轮";
    USERS "Users to learn from" "学习用户数";
    AUDIT_USERS "Users for the gate" "门槛评估用户数";
    TOKENS "Training tokens at most" "训练词元上限";
    SEED "Seed" "随机种子";
    LEARNS "Learn" "学习内容";
    FROM_LABELS "what people agree on" "人工一致的结果";
    FROM_LOG "what users did in the last 14 days" "用户最近 14 天的行为";
    SCHEDULE "On a schedule" "定期进行";
    SCHEDULE_HINT "Interests are made anew, what users lately clicked and bought becomes tags of the interests it serves, a new model learns them, and HR@30 is compared on users whose last day neither model has seen. The gate decides as always." "重新生成兴趣，将用户最近点击和购买的商品作为其兴趣的标签，训练新模型，并在两个模型都未见过最后一天的用户上比较 HR@30。是否采用仍由门槛决定。";
    NO_SCHEDULE "No round starts by itself." "没有自动开始的轮次。";
    SET_SCHEDULE "Set the schedule" "设置日程";
    NO_LONGER "Remove the schedule" "取消日程";
    EVERY_DAYS "Every so many days" "间隔天数";
    LAST_DAYS "Days of the log" "日志天数";
    HIT_RATE "HR@30" "HR@30";
    HIT_RATE_HINT "Share of users the category of whose next thing is among those of up to thirty tags; the same users, whose last day neither model has seen." "下一件商品的类目落在至多三十个标签类目中的用户比例；同一批用户，两个模型都未见过其最后一天。";
    TAGS_THAT_COUNT "Tags a user" "每用户标签数";
    STOP "Stop" "停止";
    GATE "The gate" "门槛";
    GATE_HINT "Pass rates are corrected by people's labels. Users of the audit half are resampled, pairs of what both models wrote for a user." "通过率经人工标注校正；对审计分区用户重抽样，每个用户为两个模型产出的一对。";
    NO_GATE "The gate has not decided yet." "门槛尚未作出决定。";
    MEASURE "Measure" "指标";
    BEFORE "Before" "原模型";
    AFTER "New model" "新模型";
    GAIN "Gain" "变化";
    WHY "Why not" "未采用的原因";
    ACROSS "Across rounds" "各轮对比";
    ACROSS_HINT "Whole samples, on all labels of the audit half at the end of each round. The judge is the one that served then." "按整条样本计，基于每轮结束时审计分区的全部标注；评审模型为当时使用的模型。";
    NOTHING_MEASURED "Nothing measured yet: the first round ends with it." "尚无测量结果：第一轮结束时产生。";
    TASK "Task" "任务";
    KAPPA "κ of the judge" "评审模型 κ";
    SPECIFICITY "Bad outputs caught" "不良输出检出率";
    PASS_RATE "Corrected pass rate" "校正后的通过率";
    CURVE "Corrected pass rate by round, with its 95 % interval" "各轮校正后的通过率及 95 % 区间";
    LOSS "Loss of a learnt token by step" "每步学习词元的损失";
    LOSS_NUMBERS "The numbers" "数值";
    POWER "How many labels a gain needs" "显示提升所需的标注数";
    POWER_HINT "Labels a model that show the gain with probability .8 at the two-sided 95 % level, one a user: n = (z₁ √(2 p̄ q̄) + z₂ √(p q + p′ q′))² / gain² (Fleiss, Levin and Paik 2003, without continuity correction)." "每个模型在双侧 95 % 水平上以 0.8 的概率显示该提升所需的标注数，每用户一条：n = (z₁ √(2 p̄ q̄) + z₂ √(p q + p′ q′))² / 提升²（Fleiss、Levin、Paik 2003，不作连续性校正）。";
    FIVE "5 points" "5 个百分点";
    TEN "10 points" "10 个百分点";
    IMPOSSIBLE "not possible" "不可能";
    REGISTRY "Trained models" "已训练模型";
    NO_MODELS "No model was trained here yet." "尚未在此训练模型。";
    NAME "Name" "名称";
    ROLE "Role" "角色";
    GENERATOR "generator" "生成模型";
    JUDGE "judge" "评审模型";
    FROM "From" "来源";
    LEARNT "Learnt from" "学习数据";
    EXPORT "export" "导出";
    SERVES "serves now" "正在使用";
    SETTINGS_MODEL "the model of the settings" "配置中的模型";
    PROMOTE "Promote through the gate" "经门槛采用";
    OLD_GENERATION "Generation of what serves" "现用模型的生成批次";
    NEW_GENERATION "Generation of this model" "该模型的生成批次";
    ROLL_BACK "Roll back" "回退";
    ROLL_BACK_HINT "gives the place back to what held it before the last promotion" "将位置交还给上次采用之前的模型";
    DECISIONS "Decisions" "决定";
    NO_DECISIONS "No decision yet." "尚无决定。";
    MODEL "Model" "模型";
    REPLACED "In place of" "接替";
    BY "By" "操作人";
    AT "When" "时间";
    LOOK_AGAIN "Look again" "刷新";
}

/// A step by its name.
pub(crate) fn step(lang: Lang, name: &str) -> String {
    let words = match name {
        "generate" => Text::new("the model that serves writes", "现用模型生成"),
        "judge" => Text::new("its samples are judged", "评审其样本"),
        "label" => Text::new("people label them", "人工标注"),
        "export" => Text::new("what they agree on is exported", "导出一致结果"),
        "train" => Text::new("a new model learns it", "训练新模型"),
        "generate_new" => Text::new("the new model writes", "新模型生成"),
        "judge_new" => Text::new("its samples are judged", "评审其样本"),
        "label_new" => Text::new("people label them", "人工标注"),
        "decide" => Text::new("the gate decides", "门槛决定"),
        "teach_judge" => Text::new("judges learn from the labels", "评审模型学习标注"),
        "refresh" => Text::new("interests are made anew", "重新生成兴趣"),
        "gather" => Text::new("what users did lately becomes lessons", "将近期行为整理为训练数据"),
        "hit_rate" => Text::new("HR@30 of both models", "两个模型的 HR@30"),
        "measure" => Text::new("judge and samples are measured", "测量评审模型与样本"),
        other => return other.to_owned(),
    };
    words.get(lang).to_owned()
}

/// How often a round starts by itself, and when the next one does.
pub(crate) fn scheduled(lang: Lang, every_days: u32, next: Option<&str>) -> String {
    let next = next.unwrap_or("–");
    match lang {
        Lang::En if every_days == 1 => format!("Every day; the next one is due {next}."),
        Lang::En => format!("Every {every_days} days; the next one is due {next}."),
        Lang::Zh => format!("每 {every_days} 天一次；下一次：{next}。"),
    }
}

/// What a round has cost.
pub(crate) fn cost(lang: Lang, of: &concord_domain::RoundCost) -> String {
    let n = super::count;
    let written = of.prompt_tokens + of.output_tokens;
    match lang {
        Lang::En => format!(
            "{} tokens generated and read in {:.0} s, {} judged in {:.0} s, {} trained, {} labels",
            n(written),
            of.generator_seconds,
            n(of.judge_tokens),
            of.judge_seconds,
            n(of.training_tokens),
            n(of.labels)
        ),
        Lang::Zh => format!(
            "生成与读取 {} 词元（{:.0} 秒），评审 {}（{:.0} 秒），训练 {}，标注 {} 条",
            n(written),
            of.generator_seconds,
            n(of.judge_tokens),
            of.judge_seconds,
            n(of.training_tokens),
            n(of.labels)
        ),
    }
}
