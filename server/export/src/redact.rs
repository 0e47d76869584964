//! Taking addresses and long numbers out of training text: what people type into a search box may be a mail address,
//! a telephone or a card.

/// Digits from which on a number may be somebody's: dates and prices have fewer.
const LONG: usize = 9;

/// The text with `[email]` and `[number]` in place of mail addresses and long numbers; all else is as it was.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        out.push_str(&rest[..start]);
        let part = &rest[start..];
        let end = part.find(|c| !is_part(c)).unwrap_or(part.len());
        push(&mut out, &part[..end]);
        rest = &part[end..];
    }
    out.push_str(rest);
    numbers(&out)
}

/// A character of a mail address.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '@' | '.' | '+' | '-' | '_' | '%')
}

fn push(out: &mut String, word: &str) {
    // A full stop behind an address ends the sentence.
    let bare = word.trim_end_matches(['.', '-']);
    match bare.split_once('@') {
        Some((local, domain)) if !local.is_empty() && domain.trim_matches('.').contains('.') => {
            out.push_str("[email]");
            out.push_str(&word[bare.len()..]);
        }
        _ => out.push_str(word),
    }
}

/// Replaces runs of digits, single signs between them included, with [`LONG`] digits or more.
fn numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        if is_date(&chars[at..]) {
            out.extend(&chars[at..at + DATE.len()]);
            at += DATE.len();
            continue;
        }
        let (end, digits) = run(&chars, at);
        if digits >= LONG {
            out.push_str("[number]");
            at = end;
        } else if end > at {
            out.extend(&chars[at..end]);
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// A day as logs write it, `0` for any digit.
const DATE: &str = "0000-00-00";

/// Whether a day begins here: with the hour behind it, it would look like a telephone number.
fn is_date(chars: &[char]) -> bool {
    let fits = |(c, sign): (&char, char)| if sign == '0' { c.is_ascii_digit() } else { *c == sign };
    chars.len() >= DATE.len()
        && chars.iter().zip(DATE.chars()).all(fits)
        && !chars.get(DATE.len()).is_some_and(char::is_ascii_digit)
}

/// Where a run of digits that begins here ends, and how many it has. `+` may stand before it.
fn run(chars: &[char], start: usize) -> (usize, usize) {
    let first = start + usize::from(chars[start] == '+');
    let (mut end, mut digits, mut at) = (start, 0, first);
    while at < chars.len() {
        if chars[at].is_numeric() {
            digits += 1;
            end = at + 1;
        } else if digits == 0 || at > end || !matches!(chars[at], ' ' | '-' | '.' | '(' | ')' | '/') {
            break;
        }
        at += 1;
    }
    (end, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_long_numbers_go() {
        for (text, redacted) in [
            ("write to ann.b+x@mail.example.org.", "write to [email]."),
            ("电话 13812345678，谢谢", "电话 [number]，谢谢"),
            ("+49 170 1234567 or 4111-1111-1111-1111", "[number] or [number]"),
            ("收件人：李@例子.公司", "收件人：[email]"),
        ] {
            assert_eq!(redact(text), redacted);
        }
    }

    #[test]
    fn all_else_stays() {
        for text in [
            "",
            "2026-11-24 12 view",
            "price 1299.00",
            "@home trail-shoes 42.5",
            "a@b",
            "size 38/40, 100%",
            "  tabs\t\n",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
