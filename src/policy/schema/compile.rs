//! From a JSON Schema to shapes and validators, at load.

use super::fit::Kinds;
use super::spot::Spot;
use super::{DataClass, Formats, Rest, Schema, Shape};
use crate::json::Borrowed;

use jsonschema::{PatternOptions, ValidatorMap};
use serde_json::Value;

use std::collections::HashMap;

/// Compiles `schema`; see [`Schema::new`].
pub(super) fn compile(schema: &Value, formats: Formats) -> Result<Schema, String> {
    if let Some(dialect) = schema.get("$schema") {
        let known = dialect.as_str().is_some_and(|uri| {
            DIALECTS.iter().any(|known| uri.trim_end_matches('#').ends_with(known))
        });
        if !known {
            return Err(format!("`$schema` names the unknown dialect {dialect}; use 2020-12"));
        }
    }
    if !schema.is_object() {
        return Err("a resource schema is an object".to_owned());
    }
    jsonschema::meta::validate(schema)
        .map_err(|error| format!("not a JSON Schema: {error} (at `{}`)", error.instance_path()))?;
    let validators = jsonschema::options_for::<Borrowed>()
        .offline()
        .should_validate_formats(formats == Formats::Assert)
        .with_pattern_options(PatternOptions::regex())
        .build_map(schema)
        .map_err(|error| format!("{error} (at `{}`)", error.instance_path()))?;
    let mut compiler = Compiler {
        root: schema,
        validators,
        shapes: Vec::new(),
        keys: Vec::new(),
        known: HashMap::new(),
        rebased: is_rebased(schema, true),
    };
    compiler.shape("")?;
    compiler.refuse_cycles()?;
    compiler.mark();
    let Compiler { validators: mut map, shapes, keys, .. } = compiler;
    let validators = keys
        .iter()
        .map(|key| take(&mut map, key).ok_or_else(|| format!("no validator for `#{key}`")))
        .collect::<Result<_, _>>()?;
    let spots = Spot::all(&shapes);
    let pointers = Spot::by_pointer(&spots);
    Ok(Schema { source: schema.clone(), formats, shapes, validators, keys, spots, pointers })
}

const DIALECTS: [&str; 5] = [
    "draft-04/schema",
    "draft-06/schema",
    "draft-07/schema",
    "draft/2019-09/schema",
    "draft/2020-12/schema",
];

fn take(map: &mut ValidatorMap<Borrowed>, key: &str) -> Option<jsonschema::Validator<Borrowed>> {
    map.get(&format!("#{key}")).cloned()
}

/// Whether `part`, unless it is the whole, or something in it has an identifier of its own.
fn is_rebased(part: &Value, whole: bool) -> bool {
    match part {
        Value::Array(parts) => parts.iter().any(|part| is_rebased(part, false)),
        Value::Object(keywords) => keywords.iter().any(|(keyword, value)| match keyword.as_str() {
            "$id" | "id" if value.is_string() => !whole,
            "const" | "enum" | "default" | "examples" => false,
            _ => is_rebased(value, false),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

struct Compiler<'s> {
    root: &'s Value,
    validators: ValidatorMap<Borrowed>,
    shapes: Vec<Shape>,
    /// The pointer of each shape in the schema.
    keys: Vec<String>,
    known: HashMap<String, usize>,
    /// Whether some part has an identifier of its own: then a `$ref` may mean another place than the
    /// shapes take it for.
    rebased: bool,
}

impl<'s> Compiler<'s> {
    /// The shape of the sub-schema at `key`, a pointer into the schema.
    fn shape(&mut self, key: &str) -> Result<usize, String> {
        if let Some(known) = self.known.get(key) {
            return Ok(*known);
        }
        let at = self.shapes.len();
        self.known.insert(key.to_owned(), at);
        self.keys.push(key.to_owned());
        self.shapes.push(Shape::default());
        let schema = self.root.pointer(key).ok_or_else(|| format!("nothing stands at `#{key}`"))?;
        let shape = self.read(key, schema)?;
        if let Some(slot) = self.shapes.get_mut(at) {
            *slot = shape;
        }
        Ok(at)
    }

    fn read(&mut self, key: &str, schema: &'s Value) -> Result<Shape, String> {
        let mut shape = Shape {
            object: true,
            array: true,
            scalar: true,
            explainable: true,
            ..Shape::default()
        };
        let Value::Object(keywords) = schema else {
            if schema == &Value::Bool(false) {
                (shape.additional, shape.items) = (Rest::Closed, Rest::Closed);
            }
            return Ok(shape);
        };
        if !self.rebased {
            shape.kinds = Kinds::told_by(keywords);
        }
        for (keyword, value) in keywords {
            let here = format!("{key}/{}", escape(keyword));
            match (keyword.as_str(), value) {
                ("type", value) => {
                    let one = std::slice::from_ref(value);
                    let types = value.as_array().map_or(one, Vec::as_slice);
                    let is = |name: &str| types.iter().any(|known| known == name);
                    shape.object &= is("object");
                    shape.array &= is("array");
                    shape.scalar &= types.iter().any(|known| known != "object" && known != "array");
                }
                ("enum", Value::Array(values)) => shape.is_one_of(values),
                ("const", value) => shape.is_one_of(std::slice::from_ref(value)),
                ("readOnly", value) => shape.read_only = value == &Value::Bool(true),
                ("x-data-class", value) => {
                    let class = value.as_str().and_then(DataClass::from_name);
                    let class = class.ok_or_else(|| {
                        format!("`{here}` is none of `personal`, `commercial` and `public`")
                    })?;
                    shape.class = Some(class);
                }
                ("properties", Value::Object(members)) => {
                    for name in members.keys() {
                        let member = self.shape(&format!("{here}/{}", escape(name)))?;
                        shape.properties.insert(name.clone(), member);
                    }
                }
                ("required", Value::Array(names)) => {
                    shape.required =
                        names.iter().filter_map(Value::as_str).map(Box::from).collect();
                }
                ("patternProperties", Value::Object(members)) => {
                    for pattern in members.keys() {
                        let regex =
                            regex::Regex::new(pattern).map_err(|error| error.to_string())?;
                        let member = self.shape(&format!("{here}/{}", escape(pattern)))?;
                        shape.patterns.push((regex, member));
                    }
                }
                ("additionalProperties", value) => shape.additional = self.rest(&here, value)?,
                ("prefixItems", Value::Array(_)) | ("items", Value::Array(_)) => {
                    shape.prefix = self.each(&here, value)?;
                    shape
                        .whole_on_write
                        .get_or_insert("what an element must be depends on its index");
                    shape
                        .whole_on_remove
                        .get_or_insert("what an element must be depends on its index");
                }
                ("items", value) => shape.items = self.rest(&here, value)?,
                ("additionalItems", value)
                    if keywords.get("items").is_some_and(Value::is_array) =>
                {
                    shape.items = self.rest(&here, value)?;
                }
                ("$ref", Value::String(reference)) => {
                    let target = self.target(reference)?;
                    shape.also.push(self.shape(&target)?);
                }
                ("allOf", Value::Array(_)) => shape.also.extend(self.each(&here, value)?),
                ("anyOf" | "oneOf", Value::Array(_)) => shape.either.push(self.each(&here, value)?),
                ("then" | "else", _) if keywords.contains_key("if") => {
                    // Whether it holds is not known here; that nothing need hold is a branch too.
                    let branch = self.shape(&here)?;
                    shape.either.push(vec![branch, usize::MAX]);
                }
                ("dependentSchemas" | "dependencies", Value::Object(members)) => {
                    for name in members.keys().filter(|name| !members[*name].is_array()) {
                        let branch = self.shape(&format!("{here}/{}", escape(name)))?;
                        shape.either.push(vec![branch, usize::MAX]);
                    }
                }
                _ => {}
            }
            if let Some(why) = whole_on_write(keyword) {
                shape.whole_on_write.get_or_insert(why);
                shape.whole_on_remove.get_or_insert(why);
            }
            if let "required" | "minProperties" | "minItems" = keyword.as_str() {
                shape.whole_on_remove.get_or_insert("what is taken away may be required");
            }
        }
        Ok(shape)
    }

    fn rest(&mut self, here: &str, value: &Value) -> Result<Rest, String> {
        Ok(match value.as_bool() {
            Some(true) => Rest::Open,
            Some(false) => Rest::Closed,
            None => Rest::Is(self.shape(here)?),
        })
    }

    fn each(&mut self, here: &str, branches: &Value) -> Result<Vec<usize>, String> {
        let count = branches.as_array().map_or(0, Vec::len);
        (0..count).map(|index| self.shape(&format!("{here}/{index}"))).collect()
    }

    /// The pointer into the schema that `$ref` names.
    fn target(&self, reference: &str) -> Result<String, String> {
        let id = self.root.get("$id").and_then(Value::as_str).unwrap_or_default();
        let (base, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        if !(base.is_empty() || base == id.trim_end_matches('#')) {
            return Err(format!("`$ref` leads out of the schema: `{reference}`"));
        }
        if fragment.is_empty() || fragment.starts_with('/') {
            return Ok(fragment.to_owned());
        }
        let anchored = |(_, schema): &(&String, &Value)| {
            schema.get("$anchor").and_then(Value::as_str) == Some(fragment)
        };
        let mut definitions = ["$defs", "definitions"].into_iter().filter_map(|key| {
            let (name, _) = self.root.get(key)?.as_object()?.iter().find(anchored)?;
            Some(format!("/{key}/{}", escape(name)))
        });
        definitions.next().ok_or_else(|| format!("`$ref` leads nowhere: `{reference}`"))
    }

    /// A sub-schema that leads to itself without going deeper says nothing, and never ends.
    fn refuse_cycles(&self) -> Result<(), String> {
        let here = |shape: &Shape| {
            shape.also.iter().chain(shape.either.iter().flatten()).copied().collect()
        };
        let edges: Vec<Vec<usize>> = self.shapes.iter().map(here).collect();
        let cyclic = (0..edges.len()).find(|at| reached(&edges, *at).get(*at) == Some(&true));
        match cyclic.and_then(|at| self.keys.get(at)) {
            Some(key) => {
                Err(format!("the sub-schema at `#{key}` refers to itself without going deeper"))
            }
            None => Ok(()),
        }
    }

    /// Marks what can be told only once every shape is known: see [`Shape::explainable`] and
    /// [`Shape::holds_read_only`].
    fn mark(&mut self) {
        let edges: Vec<Vec<usize>> = self.shapes.iter().map(Shape::next).collect();
        let reached: Vec<Vec<bool>> = (0..edges.len()).map(|from| reached(&edges, from)).collect();
        let is = |flags: &[bool], at: usize| flags.get(at).copied().unwrap_or_default();
        let read_only: Vec<bool> = self.shapes.iter().map(|shape| shape.read_only).collect();
        let tangled: Vec<bool> = (self.shapes.iter().zip(&reached).enumerate())
            .map(|(at, (shape, reached))| {
                (!shape.either.is_empty() || shape.also.len() > 1) && is(reached, at)
            })
            .collect();
        for (at, (shape, reached)) in self.shapes.iter_mut().zip(&reached).enumerate() {
            let leads_to =
                |flags: &[bool]| reached.iter().zip(flags).any(|(seen, flag)| *seen && *flag);
            shape.holds_read_only = leads_to(&read_only);
            shape.explainable = !(is(&tangled, at) || leads_to(&tangled));
        }
    }
}

impl Shape {
    /// What stands here is one of `values`.
    fn is_one_of(&mut self, values: &[Value]) {
        self.object &= values.iter().any(Value::is_object);
        self.array &= values.iter().any(Value::is_array);
        self.scalar &= values.iter().any(|value| !(value.is_object() || value.is_array()));
    }

    /// The shapes that it leads to.
    fn next(&self) -> Vec<usize> {
        let rest = [&self.additional, &self.items].into_iter().filter_map(|rest| match rest {
            Rest::Is(at) => Some(*at),
            Rest::Open | Rest::Closed => None,
        });
        let named = self.properties.values().chain(self.patterns.iter().map(|(_, at)| at));
        let others = self.prefix.iter().chain(&self.also).chain(self.either.iter().flatten());
        named.chain(others).copied().chain(rest).collect()
    }
}

/// Which shapes can be come to from `from`.
fn reached(edges: &[Vec<usize>], from: usize) -> Vec<bool> {
    let mut seen = vec![false; edges.len()];
    let mut open = edges.get(from).cloned().unwrap_or_default();
    while let Some(at) = open.pop() {
        if let Some(slot) = seen.get_mut(at)
            && !std::mem::replace(slot, true)
        {
            open.extend(edges.get(at).into_iter().flatten());
        }
    }
    seen
}

/// Why the whole must be seen where `keyword` stands above something that is written.
fn whole_on_write(keyword: &str) -> Option<&'static str> {
    Some(match keyword {
        "anyOf" | "oneOf" | "not" | "if" => "what holds depends on the other members",
        "const" | "enum" => "the whole value is compared",
        "contains" | "minContains" | "maxContains" | "uniqueItems" => {
            "an element is judged beside the others"
        }
        "dependencies" | "dependentRequired" | "dependentSchemas" => {
            "what is required depends on the other members"
        }
        "maxItems" | "maxProperties" => "how many there are counts",
        "propertyNames" | "unevaluatedItems" | "unevaluatedProperties" => {
            "what is allowed depends on the other members"
        }
        _ => return None,
    })
}

fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}
