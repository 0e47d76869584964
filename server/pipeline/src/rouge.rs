//! ROUGE-L between short texts, and how different the texts of a list are (RecGPT-V2: 1 − mean ROUGE-L).

use crate::words::{is_han, stems};

/// The F-measure of the longest common subsequence of words; of characters where none are divided.
#[must_use]
pub fn rouge_l(a: &str, b: &str) -> f64 {
    let (a, b) = (units(a), units(b));
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let mut row = vec![0_usize; b.len() + 1];
    for x in &a {
        let mut diagonal = 0;
        for (place, y) in b.iter().enumerate() {
            let above = row[place + 1];
            row[place + 1] = if x == y { diagonal + 1 } else { above.max(row[place]) };
            diagonal = above;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "some words")]
    let share = |n: usize| row[b.len()] as f64 / n as f64;
    let (precision, recall) = (share(a.len()), share(b.len()));
    if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
}

fn units(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for word in stems(text) {
        if word.chars().all(is_han) { out.extend(word.chars().map(String::from)) } else { out.push(word) }
    }
    out
}

/// 1 − mean ROUGE-L over all pairs; `None` with fewer than two texts.
#[must_use]
pub fn diversity(texts: &[String]) -> Option<f64> {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (n, a) in texts.iter().enumerate() {
        for b in &texts[..n] {
            sum += rouge_l(a, b);
            pairs += 1.0;
        }
    }
    (pairs > 0.0).then(|| 1.0 - sum / pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_common_subsequence_counts() {
        assert!((rouge_l("police killed the gunman", "police kill the gunman") - 0.75).abs() < 1e-9);
        assert!((rouge_l("水温看得见", "水温看得清") - 0.8).abs() < 1e-9);
        assert_eq!((rouge_l("a b", "c d"), rouge_l("", "x")), (0.0, 0.0));
        let texts = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(diversity(&texts(&["a b", "a b", "c d"])), Some(1.0 - 1.0 / 3.0));
        assert_eq!(diversity(&texts(&["a"])), None);
    }
}
