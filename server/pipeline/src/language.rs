//! Which of the two languages a text is in.

/// `zh` if at least a fifth of the letters are Han characters, else `en`.
///
/// Titles mix scripts ("304不锈钢 600ml"), so a share decides, not the first character.
#[must_use]
pub fn of(text: &str) -> &'static str {
    let (mut han, mut letters) = (0_usize, 0_usize);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        han += usize::from(('\u{4e00}'..='\u{9fff}').contains(&c));
    }
    if han > 0 && han * 5 >= letters { "zh" } else { "en" }
}

/// About how many tokens a text is, without a model: a Han character is nearly one, and Latin text has
/// about 3.3 characters a token (both on the high side of what Qwen's tokenizer gives).
#[must_use]
pub fn estimate_tokens(text: &str) -> usize {
    let (mut wide, mut narrow) = (0_usize, 0_usize);
    for c in text.chars() {
        if c.is_ascii() { narrow += 1 } else { wide += 1 }
    }
    wide + (narrow * 3).div_ceil(10)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn han_share_decides() {
        assert_eq!(of("手冲细口壶 304不锈钢 600ml"), "zh");
        assert_eq!(of("Gundam vs. Zeta Gundam - PlayStation 2"), "en");
        assert_eq!(of(""), "en");
        assert_eq!(of("Tokyo 東 Ghoul: a very long English title"), "en");
    }
}
