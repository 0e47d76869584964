//! Which schemas may be enforced: those whose every document is bounded.
//!
//! A string without `maxLength`, an array without `maxItems` or an integer without limits could
//! fill any token budget, so it is refused. For the rest this module tells how many bytes are
//! enough to close any half-written document; constrained decoding begins to look at its budget there.

use concord_domain::ports::ModelError;
use serde_json::{Map, Value};

/// Keywords that are enforced or that say nothing about validity.
const KNOWN: [&str; 19] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "enum",
    "const",
    "anyOf",
    "title",
    "description",
    "default",
    "examples",
    "$schema",
];

/// A checked schema.
#[derive(Debug)]
pub(crate) struct BoundedSchema {
    /// The schema with what is implied written out.
    pub(crate) schema: Value,
    /// Bytes that close a document from wherever it stands.
    pub(crate) closing_bytes: usize,
}

impl BoundedSchema {
    pub(crate) fn check(schema: &Value) -> Result<Self, ModelError> {
        let mut schema = schema.clone();
        let closing_bytes = closing_bytes(&mut schema, "$")?;
        if !matches!(schema.get("type").and_then(Value::as_str), Some("object" | "array")) {
            // A bare number at the root has no end of its own.
            return Err(refuse("$", "must have the type object or array"));
        }
        Ok(Self { schema, closing_bytes })
    }
}

fn refuse(path: &str, why: &str) -> ModelError {
    ModelError::BadRequest(format!("schema at {path}: {why}"))
}

fn closing_bytes(schema: &mut Value, path: &str) -> Result<usize, ModelError> {
    let Some(map) = schema.as_object_mut() else { return Err(refuse(path, "must be an object")) };
    if let Some(unknown) = map.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(refuse(path, &format!("the keyword {unknown} is not supported")));
    }
    if let Some(value) = map.get("const") {
        return Ok(value.to_string().len());
    }
    if let Some(values) = map.get("enum") {
        let lengths = values.as_array().map(|values| values.iter().map(|value| value.to_string().len()));
        return lengths.and_then(Iterator::max).ok_or_else(|| refuse(path, "enum must list values"));
    }
    if let Some(options) = map.get_mut("anyOf") {
        let options = options.as_array_mut().filter(|options| !options.is_empty());
        let options = options.ok_or_else(|| refuse(path, "anyOf must list schemas"))?;
        let mut lengths = options.iter_mut().map(|option| closing_bytes(option, &format!("{path}.anyOf")));
        return lengths.try_fold(0, |longest, length| Ok(longest.max(length?)));
    }
    let types: Vec<String> = match map.get("type") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let lengths = types.iter().map(|kind| match kind.as_str() {
        "object" => object(map, path),
        "array" => array(map, path),
        "string" => string(map, path),
        "integer" => integer(map, path),
        "boolean" => Ok("false".len()),
        "null" => Ok("null".len()),
        "number" => Err(refuse(path, "a number has no bound on its digits; use an integer")),
        other => Err(refuse(path, &format!("the type {other} is not supported"))),
    });
    let lengths = lengths.collect::<Result<Vec<_>, _>>()?;
    lengths.into_iter().max().ok_or_else(|| refuse(path, "needs a type"))
}

fn object(map: &mut Map<String, Value>, path: &str) -> Result<usize, ModelError> {
    match map.get("additionalProperties") {
        // Left out, it would allow any property: close the object instead.
        None => map.insert("additionalProperties".to_owned(), Value::Bool(false)),
        Some(Value::Bool(false)) => None,
        Some(_) => return Err(refuse(path, "additionalProperties must be false")),
    };
    let mut total = 2_usize;
    if let Some(properties) = map.get_mut("properties") {
        let properties =
            properties.as_object_mut().ok_or_else(|| refuse(path, "properties must be an object"))?;
        for (name, value) in properties {
            let key = Value::from(name.as_str()).to_string().len();
            let value = closing_bytes(value, &format!("{path}.{name}"))?;
            total = total.saturating_add(value).saturating_add(key + 2);
        }
    }
    Ok(total)
}

fn array(map: &mut Map<String, Value>, path: &str) -> Result<usize, ModelError> {
    let count =
        |key: &str| map.get(key).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
    if count("maxItems").is_none() {
        return Err(refuse(path, "an array needs maxItems"));
    }
    let least = count("minItems").unwrap_or(0).max(1);
    let items = map.get_mut("items").ok_or_else(|| refuse(path, "an array needs items"))?;
    let each = closing_bytes(items, &format!("{path}[]"))?.saturating_add(1);
    Ok(least.saturating_mul(each).saturating_add(2))
}

fn string(map: &Map<String, Value>, path: &str) -> Result<usize, ModelError> {
    let count =
        |key: &str| map.get(key).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
    if count("maxLength").is_none() {
        return Err(refuse(path, "a string needs maxLength, enum or const"));
    }
    // Two quotes, an unfinished character or escape, and the least length in one-byte characters.
    Ok(count("minLength").unwrap_or(0).saturating_add(6))
}

fn integer(map: &Map<String, Value>, path: &str) -> Result<usize, ModelError> {
    let digits = |key: &str| map.get(key).and_then(Value::as_i64).map(|limit| limit.to_string().len());
    match (digits("minimum"), digits("maximum")) {
        (Some(low), Some(high)) => Ok(low.max(high)),
        _ => Err(refuse(path, "an integer needs minimum and maximum")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn why(schema: Value) -> String {
        BoundedSchema::check(&schema).unwrap_err().to_string()
    }

    #[test]
    fn what_has_no_bound_is_refused_by_name() {
        let of = |field: Value| json!({"type": "object", "properties": {"x": field}});
        assert!(why(of(json!({"type": "string"}))).contains("$.x: a string needs maxLength"));
        assert!(why(of(json!({"type": "integer", "minimum": 1}))).contains("minimum and maximum"));
        assert!(why(of(json!({"type": "array", "items": {"type": "null"}}))).contains("maxItems"));
        assert!(why(of(json!({"type": "number"}))).contains("number"));
        assert!(why(of(json!({"type": "string", "maxLength": 3, "pattern": "a*"}))).contains("pattern"));
        assert!(why(of(json!({}))).contains("needs a type"));
        assert!(why(json!({"type": "integer", "minimum": 1, "maximum": 2})).contains("object or array"));
        assert!(why(json!({"type": "object", "additionalProperties": true})).contains("must be false"));
        assert!(why(json!(true)).contains("must be an object"));
    }

    #[test]
    fn an_object_is_closed_to_other_properties() {
        let checked = BoundedSchema::check(&json!({"type": "object", "properties": {}})).unwrap();
        assert_eq!(checked.schema["additionalProperties"], json!(false));
    }
}
