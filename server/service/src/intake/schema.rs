//! The JSON Schemas of what is imported, one object a line.

/// The JSON Schema (draft 2020-12) of a kind; `None` if there is no such kind.
#[must_use]
pub fn schema(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "users" => include_str!("schema/users.json"),
        "items" => include_str!("schema/items.json"),
        "behaviours" => include_str!("schema/behaviours.json"),
        "samples" => include_str!("schema/samples.json"),
        "labels" => include_str!("schema/labels.json"),
        "verdicts" => include_str!("schema/verdicts.json"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn schemas_are_json_and_name_their_draft() {
        for kind in ["users", "items", "behaviours", "samples", "labels", "verdicts"] {
            let text = super::schema(kind).expect(kind);
            let json: serde_json::Value = serde_json::from_str(text).expect(kind);
            assert_eq!(json["$schema"], "https://json-schema.org/draft/2020-12/schema");
            assert_eq!(json["type"], "object");
        }
        assert_eq!(super::schema("nothing"), None);
    }
}
