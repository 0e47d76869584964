//! Cleaning and bounding of text.

use super::error::Bad;

/// A key of a user or item: 1 to 256 characters, none of them a control character.
pub(super) fn key(field: &str, text: String) -> Result<String, Bad> {
    let text = bounded(field, text, 256)?.ok_or_else(|| Bad::field(field, "is empty"))?;
    if text.chars().any(char::is_control) {
        return Err(Bad::field(field, "holds a control character"));
    }
    Ok(text)
}

/// Trimmed text of at most `max` characters; `None` if nothing is left. PostgreSQL cannot hold U+0000.
pub(super) fn bounded(field: &str, text: String, max: usize) -> Result<Option<String>, Bad> {
    if text.contains('\0') {
        return Err(Bad::field(field, "holds the character \\u0000"));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    if trimmed.len() > max {
        let length = trimmed.chars().count();
        if length > max {
            return Err(Bad::field(field, format!("has {length} characters; {max} are the most")));
        }
    }
    Ok(Some(if trimmed.len() == text.len() { text } else { trimmed.to_owned() }))
}

/// Text for people to read: HTML's entities decoded, white space made single spaces.
pub(super) fn shown(field: &str, text: &str, max: usize, decoded: &mut u64) -> Result<Option<String>, Bad> {
    let plain = entities(text);
    *decoded += u64::from(plain.len() != text.len());
    let text = if plain.contains(|c: char| c.is_control() && c != '\0') || plain.contains("  ") {
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        plain
    };
    bounded(field, text, max)
}

/// Decodes the entities that catalogues carry over from HTML, once: `&amp;lt;` becomes `&lt;`.
fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let decoded = rest.bytes().take(12).position(|byte| byte == b';').and_then(|end| {
            let c = entity(&rest[1..end])?;
            Some((c, end + 1))
        });
        let (c, length) = decoded.unwrap_or(('&', 1));
        out.push(c);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            return char::from_u32(code).filter(|c| !c.is_control());
        }
    })
}

/// The language of a title where the file does not say: Chinese if it holds Han characters and no kana.
pub(super) fn language(title: &str) -> &'static str {
    let han = title.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let kana = title.chars().any(|c| ('\u{3040}'..='\u{30ff}').contains(&c));
    if han && !kana { "zh" } else { "en" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entities_are_decoded_once() {
        assert_eq!(entities("Episode I &amp; II"), "Episode I & II");
        assert_eq!(entities("Tom&#39;s &#x4e2d; &lt;b&gt;"), "Tom's 中 <b>");
        assert_eq!(entities("&amp;lt; AT&T; a & b; &#0; &nosuch;"), "&lt; AT&T; a & b; &#0; &nosuch;");
    }

    #[test]
    fn languages() {
        assert_eq!(language("手冲细口壶 600ml"), "zh");
        assert_eq!(language("ゲーム機"), "en");
        assert_eq!(language("Fire Emblem"), "en");
    }

    proptest! {
        #[test]
        fn cleaning_never_panics_and_never_lets_a_nul_through(text in "\\PC*|[&#;a-z0-9\\x00 \\n]*") {
            let mut decoded = 0;
            if let Ok(Some(clean)) = shown("title", &text, 50, &mut decoded) {
                prop_assert!(!clean.contains('\0') && !clean.contains('\n'));
                prop_assert!((1..=50).contains(&clean.chars().count()));
            }
        }
    }
}
