//! Words of the frame around every page, and of errors.

use super::texts;
use concord_domain::Lang;

texts! {
    SKIP_TO_CONTENT "Skip to content" "跳到正文";
    MAIN_NAV "Main" "主导航";
    HOME "Home" "首页";
    REVIEW "Review" "评审";
    SAMPLES "Samples" "样本";
    MY_WORK "My work" "我的工作";
    EXPORTS "Exports" "导出";
    RECOMMEND "Recommend" "推荐";
    AUDIT "Audit" "审计";
    JUDGES "Judges" "评审模型";
    RUBRICS "Rubrics" "评分标准";
    PIPELINE "Pipeline" "生成流程";
    SIGN_IN "Sign in" "登录";
    SIGN_OUT "Sign out" "退出登录";
    ACCOUNT "Account" "账户";
    OTHER_LANGUAGE "中文" "English";
    SWITCH_LANGUAGE "Switch to Chinese" "切换到英文";
    THEME_SYSTEM "Theme follows the system; switch to light" "主题跟随系统；切换到浅色";
    THEME_LIGHT "Light theme; switch to dark" "浅色主题；切换到深色";
    THEME_DARK "Dark theme; switch to the system's" "深色主题；切换为跟随系统";
    ROLE_ANNOTATOR "annotator" "标注员";
    ROLE_LEAD "QA lead" "质检负责人";
    ROLE_ADMIN "administrator" "管理员";
    TASK_INTEREST "Interest" "兴趣";
    TASK_TAG "Tag" "标签";
    TASK_EXPLANATION "Explanation" "推荐理由";
    LINK_ITEM "Item" "商品";
    LOADING "Loading" "正在加载";
    SIGN_IN_FIRST "You are signed out. Sign in to go on; what you entered is kept in this browser." "您已退出登录。请重新登录；已填写的内容保存在本浏览器中。";
    WRONG_CREDENTIALS "E-mail or password is wrong." "邮箱或密码错误。";
    FORBIDDEN "Your role does not allow this. Ask an administrator if you need it." "您的角色无权进行此操作。如有需要，请联系管理员。";
    NOTHING_HERE "There is nothing here, or it is not yours to see." "这里没有内容，或您无权查看。";
    UNREACHABLE "The server cannot be reached. Check the network; then load the page again." "无法连接服务器。请检查网络后重新加载页面。";
    OVERLAP_FULL "Others have given all the answers this sample needs. Yours is kept in your list and counted nowhere. On to the next." "该样本所需的标注已由他人完成。您的回答保留在您的列表中，不计入统计。进入下一条。";
    NOT_FOUND_TITLE "No such page" "没有这个页面";
    NOT_FOUND_HINT "The address may be mistyped, or the page has moved." "地址可能有误，或页面已移动。";
    ERROR_TITLE "This did not work" "操作未成功";
    BACK_HOME "Go to the home page" "返回首页";
    NOT_ESTIMABLE "not estimable: nothing to compare yet" "无法估计：尚无可比较的数据";
}

#[cfg(feature = "ssr")]
texts! {
    PASS "pass" "通过";
    FAIL "fail" "不通过";
}

/// Too many at once.
pub(crate) fn busy(lang: Lang, seconds: u32) -> String {
    match lang {
        Lang::En => format!("The server is busy. Try again in {seconds} s."),
        Lang::Zh => format!("服务器繁忙，请在 {seconds} 秒后重试。"),
    }
}

/// A part is missing.
pub(crate) fn unavailable(lang: Lang, what: &str, mend: &str) -> String {
    match lang {
        Lang::En => format!("{what} is unavailable. To mend it: {mend}"),
        Lang::Zh => format!("{what}不可用。解决办法：{mend}"),
    }
}

/// A fault of ours.
pub(crate) fn internal(lang: Lang, reference: &str) -> String {
    match lang {
        Lang::En => format!(
            "Something went wrong on the server (reference {reference}). Nothing you entered is lost."
        ),
        Lang::Zh => format!("服务器出错（编号 {reference}）。您填写的内容没有丢失。"),
    }
}

/// The name of a task; imported tasks keep their own.
pub(crate) fn task(lang: Lang, task: &str) -> String {
    match task {
        "interest" => TASK_INTEREST.get(lang).into(),
        "tag" => TASK_TAG.get(lang).into(),
        "explanation" => TASK_EXPLANATION.get(lang).into(),
        "item" => LINK_ITEM.get(lang).into(),
        other => other.into(),
    }
}
