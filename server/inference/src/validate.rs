//! Checks a document against the part of JSON Schema that may be enforced.
//!
//! In process the grammar makes documents valid; a remote server's word for it is checked here.

use serde_json::{Number, Value};

/// Whether a document satisfies a schema that [`BoundedSchema`](crate::schema::BoundedSchema) let through.
pub(crate) fn validates(schema: &Value, value: &Value) -> bool {
    if let Some(expected) = schema.get("const") {
        return value == expected;
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.contains(value);
    }
    if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
        return options.iter().any(|option| validates(option, value));
    }
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
    };
    let named = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|allowed| allowed == kind),
        allowed => allowed == kind,
    };
    let within = |size: Option<i64>, low: &str, high: &str| {
        size.is_some_and(|size| {
            schema[low].as_i64().is_none_or(|low| size >= low)
                && schema[high].as_i64().is_none_or(|high| size <= high)
        })
    };
    named
        && match value {
            Value::Object(fields) => {
                let mut required = schema["required"].as_array().into_iter().flatten();
                required.all(|name| name.as_str().is_some_and(|name| fields.contains_key(name)))
                    && fields.iter().all(|(name, field)| {
                        schema["properties"].get(name).is_some_and(|schema| validates(schema, field))
                    })
            }
            Value::Array(items) => {
                within(i64::try_from(items.len()).ok(), "minItems", "maxItems")
                    && items.iter().all(|item| validates(&schema["items"], item))
            }
            Value::String(text) => within(i64::try_from(text.chars().count()).ok(), "minLength", "maxLength"),
            Value::Number(number) => within(integer(number), "minimum", "maximum"),
            Value::Bool(_) | Value::Null => true,
        }
}

/// A number's value, if it is an integer; `-0` and `1.0` are, whatever their spelling.
fn integer(number: &Number) -> Option<i64> {
    let exact = |float: &f64| float.fract() == 0.0 && float.abs() < 9.0e15;
    number.as_i64().or_else(|| number.as_f64().filter(exact).map(|float| float as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_bound_is_looked_at() {
        let schema = json!({
            "type": "object",
            "properties": {
                "n": {"type": "integer", "minimum": 1, "maximum": 9},
                "s": {"type": ["string", "null"], "minLength": 2, "maxLength": 3},
                "a": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"enum": ["x", "y"]}},
                "b": {"anyOf": [{"type": "boolean"}, {"const": 0}]}
            },
            "required": ["n"]
        });
        let good = [
            json!({"n": 1}),
            json!({"n": 9, "s": "好的", "a": ["x"], "b": true}),
            json!({"n": 2, "s": null, "b": 0}),
        ];
        let bad = [
            json!({}),
            json!([]),
            json!({"n": 0}),
            json!({"n": 10}),
            json!({"n": 1.5}),
            json!({"n": 1, "s": "x"}),
            json!({"n": 1, "s": "long"}),
            json!({"n": 1, "a": []}),
            json!({"n": 1, "a": ["z"]}),
            json!({"n": 1, "a": ["x", "x", "x"]}),
            json!({"n": 1, "b": 1}),
            json!({"n": 1, "other": 1}),
        ];
        good.iter().for_each(|value| assert!(validates(&schema, value), "{value}"));
        bad.iter().for_each(|value| assert!(!validates(&schema, value), "{value}"));
    }
}
