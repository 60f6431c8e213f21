//! What a schema says of one place in a document.
//!
//! The places that the schema names are worked out once, at load; to follow a pointer through them
//! is to look up its names. Only what stands under names that the schema does not list is worked
//! out when it is asked for.

use super::spot::{Core, Spot};
use super::{DataClass, Misfit, Schema};
use crate::json::Value;
use crate::patch::Pointer;

/// A place in a document, and the sub-schemas that hold there.
#[derive(Clone, Debug)]
pub struct Place<'s> {
    schema: &'s Schema,
    spot: Worked<'s>,
    shifts_read_only: bool,
}

/// A place that was worked out at load, or just now.
#[derive(Clone, Debug)]
enum Worked<'s> {
    AtLoad(&'s Spot),
    Now(Box<Spot>),
}

impl<'s> Place<'s> {
    pub(super) fn root(schema: &'s Schema) -> Self {
        let spot = match schema.spots.first() {
            Some(spot) => Worked::AtLoad(spot),
            None => Worked::Now(Box::new(Spot::root(&schema.shapes))),
        };
        Self { schema, spot, shifts_read_only: false }
    }

    /// The place at `pointer`, where it can be looked up.
    pub(super) fn at(schema: &'s Schema, pointer: &Pointer<'_>) -> Option<Self> {
        let (spot, shifts_read_only) = *schema.pointers.get(pointer.text())?;
        Some(Self { schema, spot: Worked::AtLoad(schema.spots.get(spot)?), shifts_read_only })
    }

    /// The place of the member or element `token`.
    #[must_use]
    pub fn child(&self, token: &str) -> Self {
        let known = match &self.spot {
            Worked::AtLoad(spot) => spot.child(token).and_then(|at| self.schema.spots.get(at)),
            Worked::Now(_) => None,
        };
        let spot = match known {
            Some(spot) => Worked::AtLoad(spot),
            None => Worked::Now(Box::new(self.spot().step(token, &self.schema.shapes))),
        };
        Self { schema: self.schema, spot, shifts_read_only: self.spot().shifts(token) }
    }

    pub(in crate::policy) fn schema(&self) -> &'s Schema {
        self.schema
    }

    pub(super) fn core(&self) -> &Core {
        &self.spot().core
    }

    fn spot(&self) -> &Spot {
        match &self.spot {
            Worked::AtLoad(spot) => spot,
            Worked::Now(spot) => spot,
        }
    }

    /// Whether the schema says what may stand here.
    pub fn is_described(&self) -> bool {
        self.spot().core.described && !self.spot().core.forbidden
    }

    /// Whether the schema lets nothing stand here.
    pub fn is_forbidden(&self) -> bool {
        self.spot().core.forbidden
    }

    /// Whether it, or what stands above it, is `readOnly`.
    pub fn is_read_only(&self) -> bool {
        self.spot().core.read_only
    }

    /// Whom what stands here concerns, if the schema says so.
    pub fn data_class(&self) -> Option<DataClass> {
        self.spot().core.class
    }

    /// Whether something beneath it is `readOnly`.
    pub fn holds_read_only(&self) -> bool {
        self.spot().holds_read_only
    }

    /// Whether something that is `readOnly` may be moved where an element is put in or taken out here.
    pub fn shifts_read_only(&self) -> bool {
        self.shifts_read_only
    }

    /// Whether a value with others in it may stand here.
    pub fn may_be_container(&self) -> bool {
        self.spot().may_be_container
    }

    /// Whether an object may stand here.
    pub fn may_be_object(&self) -> bool {
        self.spot().core.may_be_object(&self.schema.shapes)
    }

    /// Whether nothing but an object may stand here.
    pub fn is_object(&self) -> bool {
        self.spot().core.is_object(&self.schema.shapes)
    }

    /// Why the whole must be seen once an object is made here that holds only some members.
    pub fn whole_if_made(&self) -> Option<&'static str> {
        self.whole(false).or_else(|| self.spot().core.whole_within(&self.schema.shapes))
    }

    /// Why the whole must be seen once something is written here, or taken away.
    pub fn whole(&self, removed: bool) -> Option<&'static str> {
        let core = &self.spot().core;
        if removed { core.whole_on_remove } else { core.whole_on_write }
    }

    /// Whether it is seen at once that `value` may stand here, and that each name in it is described.
    pub fn takes(&self, value: &Value<'_>) -> bool {
        self.schema.takes(self.spot(), value)
    }

    /// Whether `value` may stand here, as far as it can be told without what stands around it.
    pub fn fits(&self, value: &Value<'_>) -> bool {
        self.spot().core.fits(value, &self.schema.validators)
    }

    /// In which ways `value` does not fit.
    pub fn misfits(&self, value: &Value<'_>) -> Vec<Misfit> {
        self.spot().core.misfits(value, self.schema)
    }

    /// The names that are described beneath this place.
    pub fn names(&self) -> Vec<&str> {
        self.spot().names(&self.schema.shapes)
    }

    /// The described name that `token` is in another case, if it is one and not itself described.
    pub fn case_variant(&self, token: &str) -> Option<String> {
        let names = self.names();
        if names.contains(&token) {
            return None;
        }
        let folded = token.to_lowercase();
        names.into_iter().find(|name| name.to_lowercase() == folded).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_looked_up_leads_where_its_tokens_lead() {
        let shipped = include_str!("../../../schemas/referral.schema.json");
        let node = r##"{"properties":{"a/b":{"$ref":"#"},"l":{"type":"array","items":{"$ref":"#"}},"":{"readOnly":true}}}"##;
        for (text, least) in [(shipped, 50), (node, 900)] {
            let schema = serde_json::from_str(text).expect("JSON");
            let schema = Schema::new(&schema).expect("a schema");
            let mut seen = 0;
            for text in schema.pointers.names() {
                let pointer = Pointer::parse(text).expect("a pointer");
                let looked_up = Place::at(&schema, &pointer).expect("listed");
                let root = Place::root(&schema);
                let walked = pointer.tokens().fold(root, |place, token| place.child(&token));
                assert_eq!(looked_up.spot().core, walked.spot().core, "{pointer}");
                assert_eq!(looked_up.shifts_read_only, walked.shifts_read_only, "{pointer}");
                seen += 1;
            }
            assert!(seen > least && seen <= 1_000, "{seen}");
        }
    }

    #[test]
    fn an_element_moves_what_is_read_only_only_where_elements_differ() {
        let held = r#"{"type":"object","properties":{"id":{"readOnly":true}}}"#;
        let text = format!(
            r#"{{"properties":{{"alike":{{"type":"array","items":{held}}},
            "first":{{"type":"array","prefixItems":[{held}]}},"free":{{"type":"array","prefixItems":[{{}}]}},
            "named":{{"type":"object","properties":{{"0":{{}},"id":{{"readOnly":true}}}}}}}}}}"#
        );
        let schema = Schema::new(&serde_json::from_str(&text).expect("JSON")).expect("a schema");
        for (text, expected) in [
            ("/alike/-", false),
            ("/alike/0", false),
            ("/first/-", true),
            ("/first/1", true),
            ("/first", false),
            ("/free/0", false),
            ("/named/0", true),
            ("/named/id", false),
            ("", false),
        ] {
            let pointer = Pointer::parse(text).expect("a pointer");
            assert_eq!(schema.place(&pointer).shifts_read_only(), expected, "{text}");
        }
    }
}
