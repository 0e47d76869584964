//! Text from logs, models and people on a terminal: shown, never obeyed.

use std::borrow::Cow;

/// The text without what a terminal acts on: control characters (escape sequences begin with one) and the marks that
/// turn the direction of writing show as their code; lines and tabs stay.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().fold(String::with_capacity(text.len() + 8), |mut out, c| {
        if acts(c) {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            out.push(c);
        }
        out
    });
    Cow::Owned(shown)
}

fn acts(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn nothing_that_a_terminal_acts_on_comes_through() {
        assert_eq!(plain("plain 中文\n\tnext"), "plain 中文\n\tnext");
        let hostile = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31m\r\u{8}\u{7f}\u{202e}abc\u{2066}";
        let shown = plain(hostile);
        assert!(shown.chars().all(|c| !c.is_control()), "{shown:?}");
        assert!(shown.starts_with("\\u{1b}]0;title\\u{7}") && !shown.contains('\u{202e}'), "{shown:?}");
    }
}
