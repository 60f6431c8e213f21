//! What `patchgate export patch-schema` promises of one route.

use super::tally::Tally;

use patchgate::policy::patch_schema::{COARSER, patch_schema};
use patchgate::policy::{Caller, Facts, IfMatch, Policy, Route, Verdict};

use bytes::Bytes;
use jsonschema::Validator;
use serde_json::{Value, json};

/// The exported schema of a route.
pub struct Exported {
    schema: Value,
    validator: Validator,
}

impl Exported {
    pub fn of(route: &Route) -> Self {
        let resource = route.resource.as_ref().expect("a resource");
        let mut schema = patch_schema(route, "#/$defs/r").expect("it takes patches");
        let dialect = resource.schema.source().get("$schema");
        let newest = json!("https://json-schema.org/draft/2020-12/schema");
        schema["$schema"] = dialect.cloned().unwrap_or(newest);
        schema["$defs"] = json!({ "r": resource.schema.placed("#/$defs/r") });
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(&schema)
            .unwrap_or_else(|error| panic!("{error}: {schema:#}"));
        Self { schema, validator }
    }

    /// What may be permitted fits, and what is refused does not, but for the codes that it names.
    pub fn tells(
        &self,
        route: &Route,
        caller: Caller<'_>,
        patch: &Value,
        tally: &Tally,
    ) -> Result<(), String> {
        let body = Bytes::from(patch.to_string());
        let facts = Facts::read(route, caller, &IfMatch::Absent, &body);
        let fits = self.validator.is_valid(patch);
        let judged = Policy::default().judge(&facts, None).verdict;
        let Verdict::Refuse(found) = judged else {
            tally.note("may be permitted");
            return if fits {
                Ok(())
            } else {
                Err(format!("{patch} does not fit {:#}", self.schema))
            };
        };
        tally.note(if fits { "fits all the same" } else { "does not fit" });
        let exact =
            found.iter().find(|found| self.schema[COARSER].get(found.code.slug()).is_none());
        match exact {
            Some(found) if fits => Err(format!("{patch} fits, but for {found}: {:#}", self.schema)),
            Some(_) | None => Ok(()),
        }
    }
}
