//! Words of a text in both languages, for rules that compare texts without a model.

/// Whether a character is written without spaces between words.
#[must_use]
pub fn is_han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c) || ('\u{3400}'..='\u{4dbf}').contains(&c)
}

/// Lower-case words: runs of letters and digits; a run of Han characters is a word of its own.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut last: Option<bool> = None;
    for c in text.chars() {
        if !c.is_alphanumeric() {
            last = None;
            continue;
        }
        let han = is_han(c);
        if last != Some(han) {
            out.push(String::new());
        }
        last = Some(han);
        if let Some(word) = out.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    out
}

/// Words as they are compared: without the plural's ending, and Han runs as they are.
#[must_use]
pub fn stems(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| stem(&word).to_owned()).collect()
}

fn stem(word: &str) -> &str {
    let plural = word.len() > 3 && word.is_ascii() && word.ends_with('s') && !word.ends_with("ss");
    if plural { &word[..word.len() - 1] } else { word }
}

/// Whether `text` says `phrase`: its words stand there one after another, or, where it is written without
/// spaces, its characters do.
#[must_use]
pub fn says(text: &str, phrase: &str) -> bool {
    let phrase_words = stems(phrase);
    if phrase_words.is_empty() {
        return false;
    }
    if phrase.chars().any(is_han) {
        return text.to_lowercase().contains(&phrase.trim().to_lowercase());
    }
    stems(text).windows(phrase_words.len()).any(|window| window == phrase_words)
}

/// Pairs of neighbouring characters of the Han runs, and the other words whole: what two texts share.
#[must_use]
pub fn pieces(text: &str) -> std::collections::HashSet<String> {
    let mut out = std::collections::HashSet::new();
    for word in stems(text) {
        let chars: Vec<char> = word.chars().collect();
        if chars.first().copied().is_some_and(is_han) && chars.len() > 1 {
            out.extend(chars.windows(2).map(|pair| pair.iter().collect::<String>()));
        } else {
            out.insert(word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_found_word_by_word() {
        assert!(says("Smart home kit", "smart"));
        assert!(!says("smartest home", "smart"));
        assert!(says("fly-fishing rods", "fly fishing rod"));
        assert!(says("户外智能手表", "智能"));
        assert!(!says("anything", " - "));
    }

    #[test]
    fn runs_of_both_scripts_are_words() {
        assert_eq!(words("304不锈钢 Cup-2"), ["304", "不锈钢", "cup", "2"]);
        assert_eq!(pieces("手冲咖啡 kettles").len(), 4);
    }
}
