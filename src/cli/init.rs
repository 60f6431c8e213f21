//! `patchgate init`: a gateway file, a policy, its schemas and its cases, to begin with.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

mod cases;
mod draft;
mod files;
mod gateway;
mod left;
mod names;
mod openapi;
mod outline;
mod places;
mod policy;
mod reference;
mod sample;
mod single;
mod source;
mod states;
mod translate;
mod view;
mod yaml;

use super::print::print;
use super::test::failing;
use crate::config::{ConfigErrors, Kind, Source, check, load_policy};

use draft::drafts;
use files::{Files, shown};
use left::{At, Left};
use outline::Outline;
use source::Described;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write a gateway file, a policy, its schemas and its cases to begin with
///
/// From an OpenAPI file (3.0 or 3.1) every path with a `patch` becomes a route; from a JSON Schema one
/// resource, at paths that are made up; without either an example. What is written loads, and its cases
/// pass. Exits with 0 when the files are written, 1 when one is there already or nothing can be made of
/// the file, 2 when a file cannot be read or written or the command line is wrong.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// An OpenAPI file or a JSON Schema, as YAML or JSON
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The folder to write into; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Where the API is, as `https://api.example`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The name of the policy; with a JSON Schema, of the resource
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

/// Why no file is written.
#[derive(Debug)]
enum NoFiles {
    /// One is there already, or nothing can be made of what was read.
    Nothing(String),
    /// Something cannot be read or written, or was asked for wrongly.
    Unreadable(String),
}

impl Command {
    /// Writes the files, and prints which, what they lack, and what to do next.
    pub fn run(self) -> ExitCode {
        match self.init() {
            Ok(told) => {
                print(told);
                ExitCode::SUCCESS
            }
            Err(NoFiles::Nothing(why)) => {
                eprintln!("patchgate: {why}");
                ExitCode::from(1)
            }
            Err(NoFiles::Unreadable(why)) => {
                eprintln!("patchgate: {why}");
                ExitCode::from(2)
            }
        }
    }

    fn init(&self) -> Result<String, NoFiles> {
        if let Some(name) = self.name.as_ref().filter(|name| !names::is_name(name)) {
            let message = format!(
                "`--name {name}` is no name; take 1 to 64 letters, digits, `-`, `_` or `.`, the first a letter or digit"
            );
            return Err(NoFiles::Unreadable(message));
        }
        if let Some(url) = self.url.as_ref().filter(|url| !gateway::is_url(url)) {
            let message = format!(
                "`--url {url}` is no address of an upstream; write it as `https://api.example/v1`, without user, query and escapes"
            );
            return Err(NoFiles::Unreadable(message));
        }
        let mut outline = self.outline()?;
        let mut left = std::mem::take(&mut outline.left);
        let drafts = drafts(&outline, &mut left);
        let name = &outline.name;
        let mut all = vec![
            "patchgate.yaml".to_owned(),
            format!("policies/{name}.yaml"),
            format!("policies/{name}.cases.yaml"),
        ];
        all.extend(outline.kinds.iter().map(|kind| format!("schemas/{}.schema.json", kind.name)));
        self.refuse_existing(&all)?;
        let failed = |path: &Path, error: std::io::Error| {
            NoFiles::Unreadable(format!("{}: cannot be written: {error}", path.display()))
        };
        let mut files = Files::within(&self.folder).map_err(|error| failed(&self.folder, error))?;
        let mut add = |path: &str, text: String| {
            files.add(path, text).map_err(|error| failed(&self.folder.join(path), error))
        };
        for kind in &outline.kinds {
            let text = kind.text.clone().unwrap_or_else(|| format!("{:#}\n", kind.written));
            add(&format!("schemas/{}.schema.json", kind.name), text)?;
        }
        let text = policy::policy(&outline, &drafts, &self.head(Kind::Policy, "../"));
        let policy_path = add(&format!("policies/{name}.yaml"), text)?;
        let policy = load_policy(Source::Disk, &policy_path).map_err(|errors| fault(&errors))?;
        let (text, without) =
            cases::cases(&outline, &drafts, &policy, &self.head(Kind::Cases, "../"));
        for route in without {
            let why = "no request could be made up that is permitted; write a case of your own";
            left.push(&At::default().key(&format!("the route `{route}`")), why);
        }
        let cases_path = add(&format!("policies/{name}.cases.yaml"), text)?;
        let text = gateway::gateway(&outline, &self.head(Kind::Gateway, ""));
        let gateway_path = add("patchgate.yaml", text)?;
        let warned = tried(&[&gateway_path, &cases_path])?;
        let mut written = files.place(self.force).map_err(|(path, error)| failed(&path, error))?;
        written.sort();
        drop(drafts);
        Ok(self.told(&written, &left, &warned))
    }

    fn outline(&self) -> Result<Outline, NoFiles> {
        let named = self.name.as_deref();
        let path = self.from.as_deref().unwrap_or(Path::new("ticket.schema.json"));
        let described = match &self.from {
            Some(path) => Described::read(path)?,
            None => {
                let text = single::EXAMPLE.to_owned();
                let value = serde_json::from_str(&text).unwrap_or_default();
                Described::Schema(value, Some(text))
            }
        };
        let outline = match described {
            Described::OpenApi(dialect, root) => {
                openapi::read(&root, dialect, named, self.url.as_deref())
            }
            Described::Schema(schema, text) => single::read(schema, text, named, path),
        };
        let nothing = |why: String| NoFiles::Nothing(format!("{}: {why}", path.display()));
        let mut outline = outline.map_err(nothing)?;
        outline.origin = match &self.from {
            Some(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                format!("`{}`", yaml::comment(&name))
            }
            None => "an example".to_owned(),
        };
        outline.url = self.url.clone().or(outline.url);
        Ok(outline)
    }

    fn refuse_existing(&self, all: &[String]) -> Result<(), NoFiles> {
        let there = all
            .iter()
            .map(Path::new)
            .filter(|path| self.folder.join(path).symlink_metadata().is_ok());
        let there: Vec<String> =
            there.map(|path| shown(&self.folder, path).display().to_string()).collect();
        if there.is_empty() || self.force {
            return Ok(());
        }
        let message = format!(
            "{}: there already, and so nothing is written; `--force` replaces it, and `--folder` writes elsewhere",
            there.join(", ")
        );
        Err(NoFiles::Nothing(message))
    }

    /// The first lines of a file of this kind, for editors; `up` leads from it to the folder.
    fn head(&self, kind: Kind, up: &str) -> String {
        let name = kind.as_str().to_lowercase();
        let schema = format!("schemas/{name}.schema.json");
        let title = match kind {
            Kind::Cases => "patchgate case file",
            Kind::Gateway => "patchgate gateway file",
            Kind::Policy => "patchgate policy file",
        };
        let modeline = format!("# yaml-language-server: $schema={up}{schema}");
        match std::fs::read_to_string(self.folder.join(&schema)) {
            Ok(text) if text.contains(title) => format!("{modeline}\n"),
            Ok(_) | Err(_) => format!(
                "# Editors know this format after `patchgate schema {name} > {schema}`, with this as the first line:\n# `{modeline}`\n"
            ),
        }
    }

    fn told(&self, written: &[PathBuf], left: &Left, warned: &ConfigErrors) -> String {
        let mut told = String::new();
        for path in written {
            told.push_str(&format!("wrote {}\n", path.display()));
        }
        if !left.is_empty() {
            told.push_str(&format!("\nnot translated:\n{left}"));
        }
        if !warned.0.is_empty() {
            told.push_str(&format!("\nwarnings:\n{warned}\n"));
        }
        let gateway = quoted(&shown(&self.folder, Path::new("patchgate.yaml")));
        let policies = quoted(&shown(&self.folder, Path::new("policies")));
        told.push_str(&format!(
            "\nnext:\n  patchgate check {gateway}\n  patchgate test {policies}\n  patchgate run --config {gateway}\n"
        ));
        told
    }
}

/// Loads what is about to be written, and puts its cases to the judge; gives what is odd.
fn tried(all: &[&PathBuf]) -> Result<ConfigErrors, NoFiles> {
    let mut warned = Vec::new();
    for path in all {
        let checked = check(Source::Disk, path).map_err(|errors| fault(&errors))?;
        warned.extend(
            checked
                .warnings
                .0
                .into_iter()
                .filter(|warning| !warned.contains(warning))
                .collect::<Vec<_>>(),
        );
    }
    if let Some(path) = all.last() {
        let failing = failing(path).map_err(|why| fault(&why))?;
        if !failing.is_empty() {
            return Err(fault(&failing.join("\n")));
        }
    }
    Ok(ConfigErrors(warned))
}

/// What was drafted is of no use: that is ours to mend.
fn fault(why: &impl std::fmt::Display) -> NoFiles {
    NoFiles::Nothing(format!(
        "what was drafted does not load, and so nothing is written. Unless the lines below are about this machine, this is a fault of patchgate: please report it with the file\n{why}"
    ))
}

/// A path as an argument in a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.starts_with('-') && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
