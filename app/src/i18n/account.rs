//! Words of the pages of one's account and of invitations.

use super::texts;

texts! {
    TITLE "Your account" "您的账户";
    SESSIONS "Sessions" "登录会话";
    SESSIONS_HINT "A session ends 12 hours after its last use and 14 days after signing in." "会话在最后一次使用 12 小时后或登录 14 天后结束。";
    OPEN_SESSIONS "Open sessions" "当前会话数";
    SIGN_OUT_EVERYWHERE "Sign out everywhere" "在所有设备上退出";
    TOKENS "Tokens" "访问令牌";
    TOKENS_HINT "A token lets a program use the API as you, within its scopes. Its text is shown once; only its hash is kept." "程序可凭令牌在其权限范围内以您的身份使用 API。令牌内容仅显示一次，系统只保存其哈希值。";
    NO_TOKENS "No tokens." "尚无令牌。";
    NAME "Name" "名称";
    SCOPES "Scopes" "权限范围";
    ALL_SCOPES "all that your role may" "您的角色允许的全部操作";
    SCOPES_NONE "None ticked: all that your role may." "不勾选即为您的角色允许的全部操作。";
    MADE "Made" "创建时间";
    ENDS "Ends" "到期时间";
    USED "Last used" "最近使用";
    NEVER "never" "从未";
    ACTIONS "Actions" "操作";
    REVOKE "Revoke" "撤销";
    DAYS "Days until it ends" "有效天数";
    MAKE_TOKEN "Make a token" "创建令牌";
    NEW_TOKEN "The new token" "新令牌";
    SHOWN_ONCE "Copy it now: it is shown this once." "请立即复制：内容仅显示这一次。";
    INVITATIONS "Invitations" "邀请";
    INVITATIONS_HINT "A link works once, for seven days. Whoever opens it chooses a password and has the account." "链接一次有效，期限七天。打开链接者设置密码后即拥有该账户。";
    NO_INVITATIONS "No invitations wait." "没有待接受的邀请。";
    EMAIL "E-mail" "邮箱";
    ROLE "Role" "角色";
    INVITE "Invite" "邀请";
    WITHDRAW "Withdraw" "撤回";
    NEW_LINK "The link for" "邀请链接，收件人：";
    JOIN_TITLE "Welcome to Concord" "欢迎使用 Concord";
    JOIN_HINT "Choose a password of 12 characters or more. The link works this once." "请设置不少于 12 个字符的密码。此链接仅可使用一次。";
    PASSWORD "Password" "密码";
    JOIN "Join" "加入";
    NO_INVITATION "This link does not work: it was used or withdrawn, or it has ended. Ask an administrator for another one." "此链接无效：已被使用、撤回或已过期。请联系管理员重新发送。";
}
