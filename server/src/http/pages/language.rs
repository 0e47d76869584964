//! The language of a page: chosen by the person, else what their browser asks for.

use crate::http::access::cookie;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;
use concord_domain::Lang;

/// From the cookie `lang`, else the first of our languages in `Accept-Language`, else English.
pub(in crate::http) fn of(headers: &HeaderMap) -> Lang {
    if let Some(word) = cookie(headers, "lang") {
        return Lang::parse(word);
    }
    let asked = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Browsers send their list in order of preference.
    asked
        .split(',')
        .map(str::trim)
        .find(|tag| tag.starts_with("zh") || tag.starts_with("en"))
        .map_or(Lang::En, Lang::parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn lang(name: HeaderName, value: &str) -> Lang {
        of(&HeaderMap::from_iter([(name, value.parse().expect("header"))]))
    }

    #[test]
    fn the_choice_comes_before_the_browser() {
        assert_eq!(lang(axum::http::header::COOKIE, "lang=zh"), Lang::Zh);
        assert_eq!(lang(ACCEPT_LANGUAGE, "zh-CN,zh;q=0.9,en;q=0.8"), Lang::Zh);
        assert_eq!(lang(ACCEPT_LANGUAGE, "de, en-GB, zh"), Lang::En);
        assert_eq!(lang(ACCEPT_LANGUAGE, "de"), Lang::En);
    }
}
