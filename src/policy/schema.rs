//! One resource schema, asked two questions: does this document fit it, and what does it say of
//! the place that a pointer addresses?

mod class;
mod compile;
mod demand;
mod fit;
mod format;
mod misfit;
mod place;
mod spot;

pub use class::DataClass;
pub use format::Formats;
pub use place::Place;

use crate::json::{Borrowed, Value};
use crate::patch::Pointer;
use crate::policy::names::Names;
use crate::policy::pattern::Pattern;

use jsonschema::Validator;

use std::collections::HashMap;
use std::fmt;

/// A compiled JSON Schema: a validator for every sub-schema, and how one leads to the next.
pub struct Schema {
    /// As it is written.
    source: serde_json::Value,
    formats: Formats,
    shapes: Vec<Shape>,
    validators: Vec<Validator<Borrowed>>,
    /// Where each shape stands in the schema, as a pointer.
    keys: Vec<String>,
    /// The places that the shapes list by name, the whole document first.
    spots: Vec<spot::Spot>,
    /// Most of them by their pointers.
    pointers: Names<(usize, bool)>,
}

/// What one sub-schema says of what stands beneath it.
#[derive(Debug, Default)]
struct Shape {
    /// `properties`.
    properties: HashMap<String, usize>,
    /// `required`.
    required: Vec<Box<str>>,
    /// `patternProperties`.
    patterns: Vec<(regex::Regex, usize)>,
    /// `additionalProperties`.
    additional: Rest,
    /// `prefixItems`, or `items` as an array of older drafts.
    prefix: Vec<usize>,
    /// `items`, or `additionalItems` of older drafts.
    items: Rest,
    /// `$ref` and `allOf`: what holds here as well.
    also: Vec<usize>,
    /// `anyOf`, `oneOf`, `if` and `dependentSchemas`: of each set, one may hold here.
    either: Vec<Vec<usize>>,
    /// Whether an object, an array, or anything else may stand here.
    object: bool,
    array: bool,
    scalar: bool,
    /// The kinds of values of which nothing else counts here.
    kinds: fit::Kinds,
    /// `readOnly`, and whether something beneath has it.
    read_only: bool,
    holds_read_only: bool,
    /// `x-data-class`.
    class: Option<DataClass>,
    /// Why the whole must be seen once something beneath is written, or is taken away.
    whole_on_write: Option<&'static str>,
    whole_on_remove: Option<&'static str>,
    /// Whether errors may be told: where branches recurse, telling them takes exponential time.
    explainable: bool,
}

/// What holds for members or elements that are not named.
#[derive(Debug, Default)]
enum Rest {
    /// Anything may stand there; the schema does not say what.
    #[default]
    Open,
    /// Nothing may stand there.
    Closed,
    /// This holds.
    Is(usize),
}

/// One way a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where in the value, as a pointer.
    pub pointer: String,
    /// What is wrong, without the value.
    pub message: String,
    /// What would fit: the values as JSON where the schema lists them, or the names of types.
    pub accepted: Vec<String>,
    /// The keyword of the schema that it does not fit, as `#/properties/status/enum`.
    pub keyword: Option<String>,
}

impl Schema {
    /// Compiles `schema`, whose formats are demands.
    ///
    /// # Errors
    ///
    /// When it is not a JSON Schema, refers to something outside itself, or holds a regular
    /// expression that needs backtracking.
    pub fn new(schema: &serde_json::Value) -> Result<Self, String> {
        Self::with_formats(schema, Formats::Assert)
    }

    /// The same, where `formats` says what formats are.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`].
    pub fn with_formats(schema: &serde_json::Value, formats: Formats) -> Result<Self, String> {
        compile::compile(schema, formats)
    }

    /// The schema as it is written.
    pub fn source(&self) -> &serde_json::Value {
        &self.source
    }

    /// The place of the whole document.
    pub fn root(&self) -> Place<'_> {
        Place::root(self)
    }

    /// What the schema says of the place at `pointer`.
    pub fn place(&self, pointer: &Pointer<'_>) -> Place<'_> {
        Place::at(self, pointer).unwrap_or_else(|| {
            pointer.tokens().fold(self.root(), |place, token| place.child(&token))
        })
    }

    /// Whether it describes a place that `pattern` stands for.
    pub fn describes(&self, pattern: &Pattern) -> bool {
        fn within(place: &Place<'_>, tokens: &[Option<&str>]) -> bool {
            match tokens.split_first() {
                None => place.is_described(),
                Some((Some(token), rest)) => within(&place.child(token), rest),
                Some((None, rest)) => {
                    // Any element, any name that is listed, and any that is not.
                    let names = place.names().into_iter().chain(["0", "*"]);
                    names.into_iter().any(|name| within(&place.child(name), rest))
                }
            }
        }
        within(&self.root(), &pattern.tokens().collect::<Vec<_>>())
    }

    /// `pointer` with each name that the schema knows in another case written as the schema has it.
    pub fn fold(&self, pointer: &Pointer<'_>) -> Pointer<'static> {
        let mut folded = Pointer::ROOT;
        let mut place = self.root();
        for token in pointer.tokens() {
            let known = place.case_variant(&token).unwrap_or_else(|| token.into_owned());
            folded = folded.join(&known);
            place = place.child(&known);
        }
        folded
    }

    /// Whether `document` fits the whole schema.
    pub fn fits(&self, document: &Value<'_>) -> bool {
        self.root().takes(document)
            || self.validators.first().is_some_and(|validator| validator.is_valid(document))
    }

    /// In which ways `document` does not fit.
    pub fn misfits(&self, document: &Value<'_>) -> Vec<Misfit> {
        self.explain(0, document)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schema of {} parts", self.shapes.len())
    }
}
