//! The agreed part of what a generator wrote.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The generator's document with only the element a sample came from: `{"tags":[a, b, c]}` and 1 give
/// `{"tags":[b]}`; a document without a list is given whole. Keys keep their order, and values their words: nothing of
/// them is read but where they end.
///
/// # Errors
/// In words, if the document does not hold that element.
pub fn restrict(output: &str, ordinal: i32) -> Result<String, String> {
    let words = |error: serde_json::Error| error.to_string();
    let Fields(fields) = serde_json::from_str(output).map_err(words)?;
    let mut kept = String::with_capacity(output.len());
    for (key, value) in fields {
        kept.push(if kept.is_empty() { '{' } else { ',' });
        kept.push_str(&serde_json::to_string(&key).map_err(words)?);
        kept.push(':');
        if value.get().starts_with('[') {
            let elements: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(words)?;
            let place = usize::try_from(ordinal).map_err(|_| "negative ordinal".to_owned())?;
            let element = elements.get(place);
            let element = element.ok_or_else(|| format!("no element {place} of {}", elements.len()))?;
            kept.extend(["[", element.get(), "]"]);
        } else {
            kept.push_str(value.get());
        }
    }
    kept.push_str(if kept.is_empty() { "{}" } else { "}" });
    Ok(kept)
}

/// An object's fields in their order.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_only_the_agreed_element() {
        let output = r#"{"tags":[{"interest":1,"tag":"a"},{"interest":2,"tag":"b"}]}"#;
        assert_eq!(restrict(output, 1).unwrap(), r#"{"tags":[{"interest":2,"tag":"b"}]}"#);
        assert_eq!(restrict(r#"{"explanation":"x"}"#, 0).unwrap(), r#"{"explanation":"x"}"#);
        assert_eq!(
            restrict(r#" {"a\"":1, "b":[ {"c": [1, 2]}, 3 ]} "#, 0).unwrap(),
            r#"{"a\"":1,"b":[{"c": [1, 2]}]}"#
        );
        assert_eq!(restrict("{}", 0).unwrap(), "{}");
        for (output, ordinal) in [(output, 2), (output, -1), ("{", 0), ("[1]", 0), (r#"{"a":[1,}"#, 0)] {
            assert!(restrict(output, ordinal).is_err(), "{output} {ordinal}");
        }
    }
}
