//! `patchgate graph`: the states of a policy and the steps between them, as a picture.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

pub mod dot;
pub mod drawing;
pub mod layout;
pub mod links;
pub mod mermaid;
pub mod route;
pub mod svg;

use super::chosen;
use super::print::print;

use drawing::{Drawing, Wanted};

use std::path::PathBuf;
use std::process::ExitCode;

/// Draw the states of a policy and the steps between them
///
/// Steps that are for some partners or roles only say so. What is refused is not drawn unless it
/// is asked for. Exits with 0 when the graph is drawn, 1 when there is none, 2 when a file cannot
/// be read or written.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// The policy file; the shipped referrals policy if it is left out
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The resource; the only one with states if it is left out
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// The form of the picture
    #[arg(long, value_name = "FORMAT", default_value = "mermaid")]
    format: Format,
    /// Where to write it, instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show as well which states may stay as they are
    #[arg(long)]
    all: bool,
    /// Show as well the steps that are refused for a reason
    #[arg(long)]
    refused: bool,
}

/// The forms that a picture can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For Graphviz.
    Dot,
    /// A state diagram for Markdown.
    Mermaid,
    /// A picture that needs nothing else.
    Svg,
}

impl Command {
    /// Draws the graph.
    pub fn run(self) -> ExitCode {
        let drawn = match self.draw() {
            Ok(drawn) => drawn,
            Err((code, message)) => {
                eprintln!("patchgate: {message}");
                return ExitCode::from(code);
            }
        };
        match &self.output {
            None => print(drawn),
            Some(path) => {
                if let Err(error) = std::fs::write(path, drawn) {
                    eprintln!("patchgate: {}: {error}", path.display());
                    return ExitCode::from(2);
                }
            }
        }
        ExitCode::SUCCESS
    }

    fn draw(&self) -> Result<String, (u8, String)> {
        let policy = chosen::policy(self.policy.as_deref());
        let policy = policy.map_err(|errors| (2, errors.to_string()))?;
        let mut found = policy.graphs();
        if let Some(name) = &self.resource {
            found.retain(|(resource, _)| *resource.name == **name);
        }
        let (resource, graph) = match found.as_slice() {
            [found] => *found,
            [] => {
                return Err((
                    1,
                    "no route of the policy changes such a resource with states".into(),
                ));
            }
            [..] => {
                let names: Vec<_> = found.iter().map(|(resource, _)| &*resource.name).collect();
                let names = names.join("`, `");
                return Err((1, format!("say which with `--resource`: `{names}`")));
            }
        };
        let title = format!("{}: {}", policy.name, resource.name);
        let wanted = Wanted { stays: self.all, refused: self.refused };
        let drawing = Drawing::of(graph, title, wanted);
        Ok(match self.format {
            Format::Dot => dot::draw(&drawing),
            Format::Mermaid => mermaid::draw(&drawing),
            Format::Svg => svg::draw(&drawing),
        })
    }
}
