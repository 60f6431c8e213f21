//! The routes of a policy as OpenAPI 3.1.

use super::{DIALECT, dialect, key};
use crate::policy::patch_schema::patch_schema;
use crate::policy::route::{BodyForm, Param};
use crate::policy::rule::Rule;
use crate::policy::{Policy, Route};

use serde_json::{Map, Value, json};

/// What the gateway lets through by `policy`, and how it refuses.
pub(super) fn openapi(policy: &Policy) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for route in policy.routes.iter() {
        describe(route, &mut schemas);
        let path = paths.entry(&*route.template).or_insert_with(|| json!({}));
        if let Value::Object(path) = path {
            add(route, path);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": policy.name,
            "version": "1",
            "description": "What the gateway lets through. Answers that are not its own are the API's."
        },
        "paths": paths,
        "components": { "schemas": schemas, "responses": { "refused": refused() } }
    })
}

/// Adds the schemas that a route refers to.
fn describe(route: &Route, schemas: &mut Map<String, Value>) {
    let Some(resource) = route.resource.as_deref() else { return };
    let dialect = dialect(Some(resource));
    // What is not said is 2020-12 in OpenAPI 3.1.
    let marked = |mut schema: Value| {
        if let Value::Object(keywords) = &mut schema
            && dialect != DIALECT
        {
            keywords.insert("$schema".into(), json!(dialect));
        }
        schema
    };
    let at = place(route);
    if !schemas.contains_key(&key(resource)) {
        schemas.insert(key(resource), marked(resource.schema.placed(&at)));
    }
    if let Some(schema) = patch_schema(route, &at) {
        schemas.insert(patch_key(route), marked(schema));
    }
}

/// Where the schema of its resource stands.
fn place(route: &Route) -> String {
    let name = route.resource.as_deref().map_or_else(String::new, key);
    format!("#/components/schemas/{name}")
}

fn patch_key(route: &Route) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    format!("patch.{}", route.id.chars().map(plain).collect::<String>())
}

fn add(route: &Route, path: &mut Map<String, Value>) {
    let names = route
        .template
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = names.map(|name| parameter(name, route)).collect();
    if !parameters.is_empty() {
        path.insert("parameters".into(), json!(parameters));
    }
    for method in &route.methods {
        path.insert(method.to_lowercase(), operation(route));
    }
    if route.methods.iter().any(|method| method == "PATCH") {
        let types = route.media_types.join(", ");
        path.insert(
            "options".into(),
            json!({
                "summary": "What can be done here; the gateway itself answers",
                "responses": {
                    "204": {
                        "description": "the methods, and the media types of patches",
                        "headers": {
                            "Allow": { "schema": { "type": "string" } },
                            "Accept-Patch": { "schema": { "type": "string", "examples": [types] } }
                        }
                    },
                    "4XX": { "$ref": "#/components/responses/refused" }
                }
            }),
        );
    }
}

fn parameter(name: &str, route: &Route) -> Value {
    let wanted = route.params.iter().find(|(known, _)| known == name).map(|(_, param)| *param);
    let schema = match wanted {
        Some(Param::Guid) => json!({ "type": "string", "format": "uuid" }),
        Some(Param::Token) => json!({ "type": "string", "pattern": "^[A-Za-z0-9._~-]{1,128}$" }),
        None => json!({ "type": "string", "minLength": 1 }),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn operation(route: &Route) -> Value {
    let mut operation = Map::from_iter([
        ("operationId".to_owned(), json!(&*route.id)),
        (
            "responses".to_owned(),
            json!({
                "4XX": { "$ref": "#/components/responses/refused" },
                "default": { "description": "what the API answers" }
            }),
        ),
    ]);
    let conditions = route.rules.iter().any(|rule| match rule {
        Rule::Precondition(rule) => rule.required,
        Rule::Immutable(_)
        | Rule::Operations(_)
        | Rule::Paths(_)
        | Rule::Schema(_)
        | Rule::Together(_)
        | Rule::Transition(_) => false,
    });
    if route.body != BodyForm::Nothing {
        operation.insert(
            "parameters".into(),
            json!([{ "name": "If-Match", "in": "header", "required": conditions,
                "description": "the version that is to be changed: one or more strong entity tags",
                "schema": { "type": "string" } }]),
        );
        let schema = match route.body {
            BodyForm::JsonPatch => {
                json!({ "$ref": format!("#/components/schemas/{}", patch_key(route)) })
            }
            BodyForm::Document | BodyForm::Replacement => json!({ "$ref": place(route) }),
            BodyForm::MergePatch | BodyForm::Nothing => json!({ "type": "object" }),
        };
        let content: Map<String, Value> = route
            .media_types
            .iter()
            .map(|media| (media.clone(), json!({ "schema": schema })))
            .collect();
        operation.insert("requestBody".into(), json!({ "required": true, "content": content }));
    }
    Value::Object(operation)
}

/// Problem details (RFC 9457), as the gateway writes them.
fn refused() -> Value {
    json!({
        "description": "refused: by the gateway with problem details, or by the API",
        "content": {
            "application/problem+json": { "schema": {
                "type": "object",
                "required": ["type", "title", "status"],
                "properties": {
                    "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                    "detail": { "type": "string" }, "instance": { "type": "string" },
                    "errors": { "type": "array", "items": { "type": "object" } }
                }
            } },
            "*/*": {}
        }
    })
}
