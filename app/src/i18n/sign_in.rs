//! Words of the sign-in page.

use super::texts;
use concord_domain::Lang;

texts! {
    HINT "Accounts are made with: concord account add EMAIL --role annotator" "账户由管理员创建：concord account add 邮箱 --role annotator";
    OR "or" "或";
    EXPIRED "This sign-in was begun in another browser, or too long ago. Begin again." "此次登录由其他浏览器发起，或等待时间过长。请重新登录。";
    REFUSED "The provider's answer could not be verified. Begin again; if it stays so, tell an administrator." "无法验证登录服务的回应。请重新登录；若仍失败，请联系管理员。";
    UNVERIFIED "The provider does not say that your e-mail address is verified. Verify it there; then sign in again." "登录服务未确认您的邮箱。请先在该服务中验证邮箱，再重新登录。";
    FOREIGN "People of this e-mail domain may not sign in here." "该邮箱域名不允许在此登录。";
    TAKEN "The account of this address belongs to somebody else at the provider. Ask an administrator." "该邮箱的账户已绑定登录服务中的另一位用户。请联系管理员。";
    NO_ACCOUNT "There is no account with your address yet. Ask an administrator for an invitation." "您的邮箱尚无账户。请向管理员申请邀请。";
}

/// The button that leads to the provider.
pub(crate) fn with_provider(lang: Lang, host: &str) -> String {
    match lang {
        Lang::En => format!("Sign in with {host}"),
        Lang::Zh => format!("使用 {host} 登录"),
    }
}
