//! What the `format` of a schema demands; and formats that nobody knows, which demand nothing and look
//! as if they did.

use super::Schema;
use crate::json::Borrowed;

use serde_json::{Value, json};

/// How OpenAPI says that values are kept; nobody expects these to demand anything.
const KEPT: [&str; 7] = ["binary", "byte", "double", "float", "int32", "int64", "password"];

/// What `format` is: JSON Schema leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Formats {
    /// A demand, as far as the format is known.
    #[default]
    Assert,
    /// A remark, for readers.
    Annotate,
}

impl Schema {
    /// What its formats are.
    pub fn formats(&self) -> Formats {
        self.formats
    }

    /// Each format that should demand something and that nobody knows once, with the place that names
    /// it first.
    pub fn unknown_formats(&self) -> Vec<(String, &str)> {
        let mut found: Vec<(String, &str)> = Vec::new();
        if self.formats == Formats::Annotate {
            return found;
        }
        for key in &self.keys {
            let part = self.source.pointer(key).and_then(|part| part.get("format"));
            let Some(format) = part.and_then(Value::as_str) else { continue };
            let is_told = found.iter().any(|(_, known)| *known == format);
            if !is_told && !KEPT.contains(&format) && !self.knows(format) {
                found.push((format!("#{key}/format"), format));
            }
        }
        found
    }

    /// Whether the dialect of the schema knows `format`.
    fn knows(&self, format: &str) -> bool {
        let dialect = self.source.get("$schema").and_then(Value::as_str);
        let dialect = dialect.unwrap_or("https://json-schema.org/draft/2020-12/schema");
        jsonschema::options_for::<Borrowed>()
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .build(&json!({ "$schema": dialect, "format": format }))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_misspelt_is_found_once_and_what_is_known_or_kept_is_not() {
        let schema = json!({"properties": {
            "at": {"format": "date-time"},
            "mail": {"items": {"format": "e-mail"}},
            "other": {"format": "e-mail"},
            "size": {"format": "int64"},
            "id": {"anyOf": [{"format": "uuid"}, {"format": "guid"}]},
            "format": {"const": {"format": "no"}},
        }});
        let schema = Schema::new(&schema).unwrap();
        let mut found = schema.unknown_formats();
        found.sort_by_key(|(_, format)| *format);
        let expected = [("#/properties/id/anyOf/1/format", "guid")];
        assert_eq!(found[1], (expected[0].0.to_owned(), expected[0].1));
        assert_eq!((found.len(), found[0].1), (2, "e-mail"));
    }

    #[test]
    fn a_remark_demands_nothing_and_need_not_be_known() {
        let schema =
            json!({"properties": {"at": {"format": "date-time"}, "no": {"format": "guid"}}});
        let document = json!({"at": "tomorrow"});
        let document = crate::json::Value::from(&document);
        let asserted = Schema::new(&schema).unwrap();
        assert!(!asserted.fits(&document));
        assert_eq!(asserted.unknown_formats().len(), 1);
        let noted = Schema::with_formats(&schema, Formats::Annotate).unwrap();
        assert!(noted.fits(&document));
        assert_eq!(noted.unknown_formats(), []);
    }

    #[test]
    fn older_dialects_know_fewer() {
        let named = |dialect: &str| {
            let schema = json!({"$schema": dialect, "properties": {"a": {"format": "duration"}}});
            Schema::new(&schema).unwrap().unknown_formats().len()
        };
        assert_eq!(named("https://json-schema.org/draft/2020-12/schema"), 0);
        assert_eq!(named("http://json-schema.org/draft-07/schema#"), 1);
    }
}
