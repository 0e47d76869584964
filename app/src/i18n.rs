//! The words of the pages, English and Simplified Chinese side by side, a table an area.

#[cfg(feature = "ssr")]
pub(crate) mod account;
#[cfg(feature = "ssr")]
pub(crate) mod annotators;
#[cfg(feature = "ssr")]
pub(crate) mod audit;
#[cfg(feature = "ssr")]
pub(crate) mod cases;
pub(crate) mod common;
#[cfg(feature = "ssr")]
pub(crate) mod evolve;
#[cfg(feature = "ssr")]
pub(crate) mod exports;
#[cfg(feature = "ssr")]
pub(crate) mod judge_heads;
#[cfg(feature = "ssr")]
pub(crate) mod judges;
#[cfg(feature = "ssr")]
pub(crate) mod me;
pub(crate) mod pages;
#[cfg(feature = "ssr")]
pub(crate) mod pipeline;
#[cfg(feature = "ssr")]
pub(crate) mod programme;
#[cfg(feature = "ssr")]
pub(crate) mod recommend;
pub(crate) mod review;
#[cfg(feature = "ssr")]
pub(crate) mod rubrics;
#[cfg(feature = "ssr")]
pub(crate) mod samples;
#[cfg(feature = "ssr")]
pub(crate) mod sign_in;
#[cfg(feature = "ssr")]
pub(crate) mod training;

use concord_domain::Lang;

/// One text in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    en: &'static str,
    zh: &'static str,
}

impl Text {
    pub(crate) const fn new(en: &'static str, zh: &'static str) -> Self {
        Self { en, zh }
    }

    pub(crate) fn get(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }
}

/// Declares texts: `NAME "English" "中文";`.
macro_rules! texts {
    ($($name:ident $en:literal $zh:literal;)*) => {$(
        pub(crate) const $name: $crate::i18n::Text = $crate::i18n::Text::new($en, $zh);
    )*};
}
pub(crate) use texts;

/// A count with thousands separated, as both languages write it.
pub(crate) fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    if n < 0 {
        out.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A day by locale: "22 Nov 2026" or "2026年11月22日".
pub(crate) fn day(lang: Lang, date: jiff::civil::Date) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (y, m, d) = (date.year(), date.month(), date.day());
    match lang {
        Lang::En => {
            format!("{d} {} {y}", usize::try_from(m - 1).ok().and_then(|i| MONTHS.get(i)).unwrap_or(&""))
        }
        Lang::Zh => format!("{y}年{m}月{d}日"),
    }
}

/// A moment by locale, to the minute, in UTC: the server and the browser must render the same text.
pub(crate) fn moment(lang: Lang, at: jiff::Timestamp) -> String {
    let text = at.to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let date = date.parse().map_or_else(|_| date.to_owned(), |date| day(lang, date));
    format!("{date} {} UTC", time.get(..5).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_dates_follow_the_language() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(-999), "-999");
        let at = "2026-11-22T21:41:58Z".parse().expect("a timestamp");
        assert_eq!(moment(Lang::En, at), "22 Nov 2026 21:41 UTC");
        assert_eq!(moment(Lang::Zh, at), "2026年11月22日 21:41 UTC");
    }
}
