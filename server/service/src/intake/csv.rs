//! Splitting CSV (RFC 4180) record by record, so that a record's size is bounded wherever its quotes
//! lead, and each keeps the number of the line it began on.

/// The fields of one record; fed with lines until the record is complete.
#[derive(Debug)]
pub(super) struct Splitter {
    delimiter: u8,
    text: String,
    /// Where each field ends in the text.
    ends: Vec<usize>,
    quoted: bool,
}

impl Splitter {
    /// Takes the delimiter that the header uses most.
    pub(super) fn for_header(header: &str) -> Self {
        let count = |delimiter: u8| header.bytes().filter(|byte| *byte == delimiter).count();
        let delimiter = [b',', b';', b'\t'].into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',');
        Self { delimiter, text: String::new(), ends: Vec::new(), quoted: false }
    }

    /// Bytes of the record so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Forgets the record.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.quoted = false;
    }

    /// Feeds a line; true when the record is complete, false when a quote is still open.
    pub(super) fn feed(&mut self, line: &str) -> bool {
        let delimiter = char::from(self.delimiter);
        let mut rest = line;
        if self.quoted {
            self.text.push('\n');
        }
        loop {
            if !self.quoted {
                // A quote opens only at the start of a field; elsewhere it is text.
                if let Some(inner) = rest.strip_prefix('"') {
                    self.quoted = true;
                    rest = inner;
                } else {
                    let end = rest.find(delimiter);
                    self.text.push_str(&rest[..end.unwrap_or(rest.len())]);
                    self.ends.push(self.text.len());
                    let Some(end) = end else { return true };
                    rest = &rest[end + 1..];
                    continue;
                }
            }
            let Some(quote) = rest.find('"') else {
                self.text.push_str(rest);
                return false;
            };
            self.text.push_str(&rest[..quote]);
            rest = &rest[quote + 1..];
            if let Some(after) = rest.strip_prefix('"') {
                self.text.push('"');
                rest = after;
            } else {
                self.quoted = false;
                // Text behind a closing quote belongs to the field, as spreadsheets read it.
                let end = rest.find(delimiter);
                self.text.push_str(&rest[..end.unwrap_or(rest.len())]);
                self.ends.push(self.text.len());
                let Some(end) = end else { return true };
                rest = &rest[end + 1..];
            }
        }
    }

    /// The fields of a complete record.
    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = &str> {
        self.ends.iter().enumerate().map(|(place, end)| {
            let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.text[start..*end]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Splitter;
    use proptest::prelude::*;

    fn split(lines: &[&str]) -> Option<Vec<String>> {
        let mut splitter = Splitter::for_header("a,b");
        let complete = lines.iter().map(|line| splitter.feed(line)).last().unwrap_or(true);
        complete.then(|| splitter.fields().map(str::to_owned).collect())
    }

    #[test]
    fn quotes_hold_delimiters_lines_and_quotes() {
        assert_eq!(split(&["a,,c"]), Some(vec!["a".into(), String::new(), "c".into()]));
        assert_eq!(split(&[r#""a,b","say ""hi""""#]), Some(vec!["a,b".into(), "say \"hi\"".into()]));
        assert_eq!(split(&["\"two", "lines\",x"]), Some(vec!["two\nlines".into(), "x".into()]));
        assert_eq!(split(&["5\" disk,x"]), Some(vec!["5\" disk".into(), "x".into()]));
        assert_eq!(split(&["\"open"]), None);
    }

    proptest! {
        #[test]
        fn what_a_writer_quotes_comes_back(fields in prop::collection::vec("[a-z\",\n 中]{0,8}", 1..5)) {
            let quoted: Vec<String> = fields.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
            let record = quoted.join(",");
            let lines: Vec<&str> = record.split('\n').collect();
            prop_assert_eq!(split(&lines), Some(fields));
        }
    }
}
