//! E-mail addresses, as far as an account needs them: one spelling an account.

use concord_domain::Error;

/// The spelling that is stored and compared.
pub(super) fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The stored spelling of an address for a new account. Only its shape is checked: whether it exists
/// nobody knows without writing to it, and `admin@localhost` is one.
pub(super) fn parse(email: &str) -> Result<String, Error> {
    let email = normal(email);
    let Some((name, host)) = email.split_once('@') else {
        return Err(Error::invalid("email", "an address has one @"));
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@' || c == '<' || c == '>';
    if name.is_empty() || host.is_empty() || email.contains(|c| odd(c) && c != '@') || host.contains('@') {
        return Err(Error::invalid("email", "must look like name@host, without spaces"));
    }
    if email.chars().count() > 254 {
        return Err(Error::invalid("email", "at most 254 characters"));
    }
    Ok(email)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn one_spelling_an_account() {
        assert_eq!(parse(" Ann@Example.ORG\n"), Ok("ann@example.org".into()));
        assert_eq!(parse("admin@localhost"), Ok("admin@localhost".into()));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for email in ["", "ann", "@b", "a@", "a@b@c", "a b@c", "a\u{0}@b", "<a@b>"] {
            assert!(parse(email).is_err(), "{email:?}");
        }
        assert!(parse(&format!("{}@b", "a".repeat(300))).is_err());
    }
}
