//! `patchgate export`: what a policy allows, in forms that other tools read.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

mod openapi;

use super::chosen;
use super::print::print;
use crate::policy::patch_schema::patch_schema;
use crate::policy::{Policy, Resource, Route};

use clap::Subcommand;
use serde_json::{Value, json};

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Print what a policy allows in forms that other tools read
///
/// Whatever the policy may permit fits what is printed. Where it lets pass what the policy refuses, it
/// names the codes under `x-patchgate-coarser`. Exits with 0 when it is printed, 1 when the policy has
/// no such route, 2 when a file cannot be read or has faults.
#[derive(clap::Args, Debug)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Openapi(Openapi),
    PatchSchema(PatchSchema),
}

/// Print the routes as OpenAPI 3.1: paths, parameters, media types, bodies, `Accept-Patch`
///
/// Contract tests read it, and generators of client libraries.
#[derive(clap::Args, Debug)]
struct Openapi {
    /// The policy file; the shipped referrals policy if it is left out
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Print the JSON Schema of the patches that a route takes
///
/// An editor that knows it completes paths and values, and underlines what would be refused.
#[derive(clap::Args, Debug)]
struct PatchSchema {
    /// The policy file; the shipped referrals policy if it is left out
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The id of the route; the only one that takes patches if it is left out
    #[arg(long, value_name = "ID")]
    route: Option<String>,
}

impl Command {
    /// Prints it.
    pub fn run(self) -> ExitCode {
        let exported = match &self.what {
            What::Openapi(command) => command.export(),
            What::PatchSchema(command) => command.export(),
        };
        match exported {
            Ok(exported) => {
                print(format_args!("{exported:#}\n"));
                ExitCode::SUCCESS
            }
            Err((code, message)) => {
                eprintln!("patchgate: {message}");
                ExitCode::from(code)
            }
        }
    }
}

impl Openapi {
    fn export(&self) -> Result<Value, (u8, String)> {
        Ok(openapi::openapi(&policy(self.policy.as_deref())?))
    }
}

impl PatchSchema {
    fn export(&self) -> Result<Value, (u8, String)> {
        let policy = policy(self.policy.as_deref())?;
        let route = self.route(&policy).map_err(|message| (1, message))?;
        let resource = route.resource.as_deref();
        let name = resource.map_or_else(String::new, key);
        let schema = patch_schema(route, &format!("#/$defs/{name}"));
        let Some(Value::Object(mut schema)) = schema else {
            let message = format!("the route `{}` takes no JSON Patch", route.id);
            return Err((1, message));
        };
        let title = format!("a patch for `{}` of the policy `{}`", route.id, policy.name);
        schema.insert("title".into(), json!(title));
        schema.insert("$schema".into(), json!(dialect(resource)));
        if let Some(resource) = resource {
            let placed = resource.schema.placed(&format!("#/$defs/{name}"));
            schema.insert("$defs".into(), json!({ name: placed }));
        }
        Ok(Value::Object(schema))
    }

    fn route<'p>(&self, policy: &'p Policy) -> Result<&'p Route, String> {
        let takes = |route: &&Arc<Route>| patch_schema(route, "#").is_some();
        let known: Vec<_> = policy.routes.iter().filter(takes).map(|route| &**route).collect();
        let listed =
            known.iter().map(|route| format!("`{}`", route.id)).collect::<Vec<_>>().join(", ");
        match (&self.route, known.as_slice()) {
            (_, []) => Err("the policy has no route that takes a JSON Patch".to_owned()),
            (None, [route]) => Ok(route),
            (None, _) => {
                Err(format!("several routes take a JSON Patch: say --route, one of {listed}"))
            }
            (Some(id), known) => {
                known.iter().find(|route| *route.id == **id).copied().ok_or_else(|| {
                    format!("no route `{id}` takes a JSON Patch; those that do are {listed}")
                })
            }
        }
    }
}

fn policy(path: Option<&Path>) -> Result<Policy, (u8, String)> {
    chosen::policy(path).map_err(|errors| (2, errors.to_string()))
}

/// What the schema of a resource is called where several stand together.
fn key(resource: &Resource) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    resource.name.chars().map(plain).collect()
}

/// The dialect that the schema of a resource is written in.
fn dialect(resource: Option<&Resource>) -> String {
    let own = resource.and_then(|resource| resource.schema.source().get("$schema")?.as_str());
    own.unwrap_or(DIALECT).to_owned()
}
