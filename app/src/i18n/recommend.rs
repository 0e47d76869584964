//! Words of the recommendation pages.

use super::texts;
use concord_domain::Lang;

texts! {
    RECOMMENDATIONS "Recommendations" "推荐";
    USER "User" "用户";
    SHOW "Show" "查看";
    RECENT "People with tags, the newest first" "已有标签的用户（最新在前）";
    NOBODY "Nobody has tags yet. Start a generation on the home page, or run concord generate." "尚无用户有标签。请在首页启动生成，或运行 concord generate。";
    BACK "All people" "全部用户";
    INTERESTS "Interests" "兴趣";
    NO_INTERESTS "None written yet: concord generate --user writes some." "尚未生成：运行 concord generate --user 可生成。";
    TAGS "Tags asked for" "用于检索的标签";
    NO_TAGS "Asked without tags: by what the user did alone." "未使用标签：仅按该用户的行为检索。";
    UNKNOWN_TAG "no word of it is in the catalogue's titles: not asked" "商品标题中没有其中任何词：未用于检索";
    ITEMS "Items" "商品";
    NO_ITEMS "Nothing is left to recommend: the user has met every item." "没有可推荐的商品：该用户已接触过全部商品。";
    ITEM "Item" "商品";
    WHY "Explanation" "推荐理由";
    NO_EXPLANATION "none stored" "暂无";
    TAG "Tag that fits best" "最匹配的标签";
    SCORE "Score" "总分";
    COL "Behaviour" "行为";
    COL_TITLE "y_col = h_u · h_v: how near the item is to what the user did" "y_col = h_u · h_v：商品与用户行为的接近程度";
    SEM "Tags" "标签";
    SEM_TITLE "y_sem = h_t · h_v: how near the item is to the tags" "y_sem = h_t · h_v：商品与标签的接近程度";
    PLACE "Place" "名次";
}

/// How the items were found.
pub(crate) fn how(lang: Lang, asked: &concord_domain::Asked) -> String {
    let beta = asked.beta;
    let rest = 1.0 - beta;
    match (lang, asked.tags_from.as_str(), asked.user_known) {
        (Lang::En, "none", _) => "Found by what the user did alone.".into(),
        (Lang::Zh, "none", _) => "仅按用户行为检索。".into(),
        (Lang::En, from, known) => {
            let tags = if from == "written" { "the tags below" } else { "the titles of the items met last" };
            let way = if asked.scheme == "mean" {
                "all tags in one query"
            } else {
                "a query a tag, the best counts"
            };
            if known {
                format!("Score = {beta:.2} × behaviour + {rest:.2} × tag, with {tags}: {way}.")
            } else {
                format!("This user came after the training, so only {tags} were asked: {way}.")
            }
        }
        (Lang::Zh, from, known) => {
            let tags = if from == "written" { "下列标签" } else { "最近接触商品的标题" };
            let way = if asked.scheme == "mean" {
                "所有标签合为一次检索"
            } else {
                "每个标签检索一次，取最高分"
            };
            if known {
                format!("总分 = {beta:.2} × 行为 + {rest:.2} × 标签，使用{tags}：{way}。")
            } else {
                format!("该用户在训练之后加入，仅用{tags}检索：{way}。")
            }
        }
    }
}
