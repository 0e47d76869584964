//! Words of the page of one's own work.

use super::texts;

texts! {
    PACE "Pace" "速度";
    PACE_HINT "Median seconds a sample, as the page measured them while it was in view. Nobody is ranked by it." "每条样本用时的中位数，仅统计页面可见的时间，不用于排名。";
    NO_DAYS "No samples answered in the last 14 days." "最近 14 天没有评审样本。";
    DAY "Day (UTC)" "日期（UTC）";
    SAMPLES "Samples" "样本数";
    MEDIAN "Median" "中位数";
    TIMED "Timed" "计时条数";
    NOT_TIMED "not timed" "未计时";
    RECORD "Record" "质量记录";
    RECORD_HINT "As of yesterday (UTC), so that no single answer tells what it was asked for. An answer is one criterion of one sample." "截至昨日（UTC），因此无法从单条回答得知其用途。每个样本的每项标准计为一个回答。";
    GOLD "Right on gold questions" "标准题正确率";
    GOLD_HINT "Samples whose answers leads have set; they look like any other." "答案已由负责人确定的样本，外观与其他样本相同。";
    CONSISTENCY "Same answer again" "前后一致率";
    CONSISTENCY_HINT "Your own samples, asked again a week or more later." "一周或更久之后再次评审的本人样本。";
    RECENT "Last samples" "最近的样本";
    NO_SAMPLES "Nothing answered yet." "尚未评审任何样本。";
    SAMPLE "Sample" "样本";
    TASK "Task" "任务";
    SECONDS "Seconds" "用时";
    WHEN "When" "时间";
    NOTE "Note" "备注";
    SURPLUS "surplus" "多余";
    SURPLUS_HINT "Surplus: others had given every answer it needed before yours came. It is kept and counted nowhere." "多余：在您提交之前，该样本所需的回答已由他人完成。您的回答已保留，但不计入统计。";
}
