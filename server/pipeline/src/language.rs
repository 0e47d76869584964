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
