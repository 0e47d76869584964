//! The agreed part of what a generator wrote.

use serde_json::Value;

/// The generator's document with only the element a sample came from: `{"tags":[a, b, c]}` and 1 give
/// `{"tags":[b]}`; a document without a list is given whole. Key order is kept.
///
/// # Errors
/// In words, if the document does not hold that element.
pub fn restrict(output: &str, ordinal: i32) -> Result<String, String> {
    let mut document: Value = serde_json::from_str(output).map_err(|error| error.to_string())?;
    let fields = document.as_object_mut().ok_or("not an object")?;
    for value in fields.values_mut() {
        if let Value::Array(elements) = value {
            let place = usize::try_from(ordinal).map_err(|_| "negative ordinal".to_owned())?;
            if place >= elements.len() {
                return Err(format!("no element {place} of {}", elements.len()));
            }
            *elements = vec![elements.swap_remove(place)];
        }
    }
    serde_json::to_string(&document).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_only_the_agreed_element() {
        let output = r#"{"tags":[{"interest":1,"tag":"a"},{"interest":2,"tag":"b"}]}"#;
        assert_eq!(restrict(output, 1).unwrap(), r#"{"tags":[{"interest":2,"tag":"b"}]}"#);
        assert_eq!(restrict(r#"{"explanation":"x"}"#, 0).unwrap(), r#"{"explanation":"x"}"#);
        assert!(restrict(output, 2).is_err() && restrict("{", 0).is_err());
    }
}
