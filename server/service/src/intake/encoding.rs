//! Is it UTF-8? Told from the beginning of the file, so that a file in another encoding is one clear
//! error and not a million rejects.

use super::error::ImportError;
use std::io::{self, BufRead, Cursor, Read};

const SAMPLE: u64 = 64 * 1024;

/// Reads a sample, refuses what is not UTF-8, and gives the reader back from its start, behind a
/// byte order mark if there is one.
pub(super) fn checked<R: BufRead>(mut reader: R) -> Result<impl BufRead, ImportError> {
    let mut sample = Vec::new();
    reader
        .by_ref()
        .take(SAMPLE)
        .read_to_end(&mut sample)
        .map_err(|why| ImportError::Read { line: 0, why })?;
    if sample.iter().all(u8::is_ascii_whitespace) && (sample.len() as u64) < SAMPLE {
        return Err(ImportError::Empty);
    }
    if let Some(suspect) = suspect(&sample) {
        return Err(ImportError::Encoding { suspect });
    }
    let start = if sample.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let mut head = Cursor::new(sample);
    head.set_position(start);
    Ok(io::BufReader::with_capacity(256 * 1024, head.chain(reader)))
}

/// What the text looks like if it does not look like UTF-8.
fn suspect(sample: &[u8]) -> Option<&'static str> {
    if sample.starts_with(b"\xFF\xFE") || sample.starts_with(b"\xFE\xFF") {
        return Some("UTF-16");
    }
    let nuls = |offset| sample.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    // Western text in UTF-16 without a mark has a NUL in every other byte.
    if nuls(1) * 8 > sample.len() * 3 {
        return Some("UTF-16LE");
    }
    if nuls(0) * 8 > sample.len() * 3 {
        return Some("UTF-16BE");
    }
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in sample.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    // The sample may end within a character.
    bad -=
        usize::from(std::str::from_utf8(sample).is_err_and(|error| bad == 1 && error.error_len().is_none()));
    // A few broken characters in UTF-8 text are rejects of their lines.
    (bad > good).then(|| if looks_like_gb18030(sample) { "GB18030" } else { "LATIN1" })
}

/// Whether every byte beyond ASCII begins a two- or four-byte code of GB18030.
fn looks_like_gb18030(sample: &[u8]) -> bool {
    let mut bytes = sample.iter().copied();
    while let Some(lead) = bytes.next() {
        if lead < 0x80 {
            continue;
        }
        let Some(second) = bytes.next() else { break };
        let four = second.is_ascii_digit();
        if !(0x81..=0xFE).contains(&lead) || !(four || (0x40..=0xFE).contains(&second)) {
            return false;
        }
        if four {
            bytes.next();
            bytes.next();
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::suspect;

    #[test]
    fn encodings_are_told_apart() {
        let gb = b"{\"title\":\"\xCA\xD6\xB3\xE5\xBA\xF8\"}\n";
        let utf16: Vec<u8> = "title,price\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(suspect(gb), Some("GB18030"));
        assert_eq!(suspect(&utf16), Some("UTF-16LE"));
        assert_eq!(suspect(b"\xFF\xFEa\0"), Some("UTF-16"));
        assert_eq!(suspect(b"caf\xE9 au lait\n"), Some("LATIN1"));
        assert_eq!(suspect("手冲壶".as_bytes()), None);
        assert_eq!(suspect(&"手冲壶".as_bytes()[..7]), None, "cut within a character");
        assert_eq!(suspect(b"\xE6\x89\x8B\xE5\x86\xB2 one broken byte \xFF\n"), None);
    }
}
