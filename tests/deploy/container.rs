//! The image and the compose file: `deploy/Dockerfile`, `deploy/compose.yaml`. There is no engine here
//! that could build or run them.

use super::observing::{word, yaml};
use crate::cli::process::{finish, patchgate};
use crate::docs::{root, text};
use crate::harness::packages;

use patchgate::cli::Cli;

use clap::CommandFactory;
use regex::Regex;
use serde_json::Value;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

const COMPOSE: &str = "deploy/compose.yaml";
const GATEWAY: &str = "deploy/compose/gateway/gateway.yaml";

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|entry| entry.as_str().unwrap_or_else(|| panic!("no text: {entry}"))).collect()
}

/// Runs a checker of `tests/deploy/requirements.txt`, which has to find nothing.
fn check(program: &str, arguments: &[&str]) {
    let done = finish(Command::new(packages::python("deploy").join(program)).args(arguments));
    assert_eq!(done.code, 0, "{program} {arguments:?}: {}{}", done.out, done.err);
}

/// The instructions of the Dockerfile, each on one line.
fn instructions() -> Vec<(String, String)> {
    let text = text("deploy/Dockerfile");
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let parted = joined.lines().filter_map(|line| line.split_once(' '));
    parted.map(|(name, rest)| (name.to_owned(), rest.trim().to_owned())).collect()
}

/// What follows `name` where it stands for the last time.
fn last(name: &str) -> String {
    let found = instructions().into_iter().rev().find(|(other, _)| other == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

/// A JSON array of words, as `ENTRYPOINT` has it.
fn exec(form: &str) -> Vec<String> {
    serde_json::from_str(form).unwrap_or_else(|error| panic!("{form}: {error}"))
}

/// What is copied from the repository.
fn copied() -> Vec<String> {
    let copies = instructions().into_iter().filter(|(name, _)| name == "COPY");
    let mut found = Vec::new();
    for (_, rest) in copies.filter(|(_, rest)| !rest.contains("--from=")) {
        let mut words: Vec<_> = rest.split(' ').map(str::to_owned).collect();
        words.pop();
        found.append(&mut words);
    }
    assert!(found.len() > 8, "{found:?}");
    found
}

/// Whether `.dockerignore` lets the file `path` into the build.
fn let_in(path: &str) -> bool {
    let text = text(".dockerignore");
    let mut patterns = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(patterns.next(), Some("*"), "it names what is let in");
    patterns.any(|pattern| {
        let pattern = pattern.strip_prefix('!').expect("nothing else is kept out");
        let folder = format!("{pattern}/");
        let (before, after) = pattern.split_once('*').unwrap_or((pattern, ""));
        let between = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let fits = pattern.contains('*') && between.is_some_and(|name| !name.contains('/'));
        path == pattern || path.starts_with(&folder) || fits
    })
}

/// `path` without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            assert!(plain.pop(), "{} leads out", path.display());
        } else if part != Component::CurDir {
            plain.push(part);
        }
    }
    plain
}

/// Every file beneath `folder`, as a path from the root of the repository.
fn beneath(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let path = path.strip_prefix(root()).expect("inside");
                found.push(path.to_str().expect("UTF-8").to_owned());
            }
        }
    }
    found
}

/// Every file that a build reads beside `src`.
fn needed() -> BTreeSet<String> {
    let manifest = text("Cargo.toml");
    let named = Regex::new(r#"(?m)^(?:path|readme) = "([^"]+)""#).expect("a pattern");
    let mut needed: BTreeSet<_> =
        named.captures_iter(&manifest).map(|found| found[1].to_owned()).collect();
    needed.extend(["Cargo.toml".to_owned(), "Cargo.lock".to_owned()]);
    let included = Regex::new(r#"include_(?:str|bytes)!\("([^"]+)"\)"#).expect("a pattern");
    for file in beneath("src").into_iter().filter(|file| file.ends_with(".rs")) {
        // Tests stand at the end of a file, and are not built.
        let text = text(&file);
        let text = text.split("#[cfg(test)]").next().expect("a text");
        for found in included.captures_iter(text) {
            let path = plain(&Path::new(&file).parent().expect("a folder").join(&found[1]));
            needed.insert(path.to_str().expect("UTF-8").to_owned());
        }
    }
    assert!(needed.len() > 15, "{needed:?}");
    needed
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfile_and_is_told_to_overlook_nothing() {
    assert!(!text("deploy/Dockerfile").contains("hadolint"));
    check("hadolint", &["--no-color", "--failure-threshold", "style", "deploy/Dockerfile"]);
}

#[test]
fn all_that_a_build_reads_is_let_in_and_copied() {
    let copied = copied();
    for path in &copied {
        let there = root().join(path);
        assert!(there.exists(), "{path} is copied, and is not there");
        let files = if there.is_dir() { beneath(path) } else { vec![path.clone()] };
        assert!(files.iter().any(|file| let_in(file)), "nothing of {path} is let in");
    }
    for file in needed() {
        assert!(root().join(&file).exists(), "{file}");
        assert!(let_in(&file), "{file} is read by a build, and kept out");
        let covers = |from: &String| file == *from || file.starts_with(&format!("{from}/"));
        assert!(copied.iter().any(covers), "{file} is read by a build, and not copied");
    }
    for file in beneath("src").iter().chain(&beneath("schemas")).chain(&beneath("config")) {
        assert!(let_in(file), "{file} is kept out");
    }
    for other in [".git/config", "target/dist/patchgate", "tests/bench/run", "docs/index.md"] {
        assert!(!let_in(other), "{other} is let in");
    }
}

#[test]
fn the_image_says_of_the_program_what_is_so() {
    let labels = last("LABEL");
    for (label, value) in [
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("title", env!("CARGO_PKG_NAME")),
    ] {
        let wanted = format!("org.opencontainers.image.{label}=\"{value}\"");
        assert!(labels.contains(&wanted), "{wanted} is not in {labels}");
    }
    let stages: Vec<_> = instructions()
        .into_iter()
        .filter(|(name, _)| name == "FROM")
        .map(|(_, rest)| rest)
        .collect();
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert_eq!(stages[0], format!("rust:{rust}-slim-bookworm AS build"));
    assert_eq!(stages[1], "gcr.io/distroless/cc-debian12:nonroot", "the same Debian");
    assert_eq!(last("USER"), "65532:65532");
    assert_eq!(last("STOPSIGNAL"), "SIGTERM");
    let build = last("RUN");
    assert!(build.contains(" deploy/build "), "{build}");
    // Policies lead to schemas by relative paths.
    for folder in ["config", "schemas"] {
        let copy = format!("{folder} /etc/patchgate/{folder}");
        assert!(instructions().contains(&("COPY".to_owned(), copy.clone())), "{copy}");
    }
    let shipped = last("ENV");
    let (name, value) = shipped.split_once('=').expect("a value");
    assert_eq!(name, "PATCHGATE_CONFIG");
    let inside = value.strip_prefix("/etc/patchgate/").expect("where it was copied to");
    let checked = patchgate(&["check", inside]);
    assert_eq!(checked.code, 0, "{}", checked.err);
}

#[test]
fn the_program_knows_the_commands_that_it_is_started_with() {
    let program = exec(&last("ENTRYPOINT"));
    assert_eq!(program, ["/usr/local/bin/patchgate"]);
    assert!(
        instructions().iter().any(|(name, rest)| name == "COPY" && rest.ends_with(&program[0]))
    );
    let (_, health) = instructions()
        .into_iter()
        .rev()
        .find(|(name, _)| name == "HEALTHCHECK")
        .expect("a check of its health");
    let health = exec(health.split_once("CMD ").expect("a command").1);
    assert_eq!(health[0], program[0]);
    let mut commands = vec![exec(&last("CMD")), health[1..].to_vec()];
    let compose = yaml(COMPOSE);
    for service in ["gateway", "sandbox"] {
        let command = texts(&compose["services"][service]["command"]);
        assert!(!command.is_empty(), "{service}");
        commands.push(command.into_iter().map(str::to_owned).collect());
    }
    for command in commands {
        let line = program.iter().chain(&command);
        let parsed = Cli::command().try_get_matches_from(line);
        assert!(parsed.is_ok(), "{command:?}: {}", parsed.expect_err("a fault"));
    }
}

#[test]
fn the_compose_file_is_one() {
    check("check-jsonschema", &["--builtin-schema", "vendor.compose-spec", COMPOSE]);
    let compose = yaml(COMPOSE);
    let services = compose["services"].as_object().expect("services");
    assert_eq!(services.len(), 5);
    let image = format!("patchgate:{}", env!("CARGO_PKG_VERSION"));
    for name in ["gateway", "sandbox"] {
        assert_eq!(services[name]["image"], *image, "{name}");
        assert_eq!(services[name]["user"], "65532:65532", "{name}");
    }
    let build = &services["gateway"]["build"];
    let context = plain(&Path::new("deploy").join(word(&build["context"])));
    assert!(context.as_os_str().is_empty(), "the repository");
    assert!(root().join(word(&build["dockerfile"])).exists());
    for (name, service) in services {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert!(service["cap_add"].is_null() && service["privileged"].is_null(), "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        let user = word(&service["user"]);
        assert!(!user.starts_with('0') && user.contains(':'), "{name}: {user}");
        assert!(service["mem_limit"].is_string() && service["pids_limit"].is_u64(), "{name}");
        let (_, tag) = word(&service["image"]).rsplit_once(':').expect("a tag");
        assert_ne!(tag, "latest", "{name}");
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port} is open to others");
        }
        for network in texts(&service["networks"]) {
            assert!(!compose["networks"][network].is_null(), "{name}: {network}");
        }
        let mut writable = 0;
        for volume in texts(&service["volumes"]) {
            let from = volume.split(':').next().expect("what is mounted");
            if from.starts_with('.') {
                let there = root().join(plain(&Path::new("deploy").join(from)));
                assert!(there.is_dir(), "{name}: {from} is no folder");
                assert_eq!(volume.rsplit(':').next(), Some("ro"), "{name}: {volume}");
            } else {
                assert!(!compose["volumes"][from].is_null(), "{name}: {from}");
                writable += 1;
            }
        }
        assert!(writable <= 1, "{name}");
        // The image has one for the gateway, and nothing could be asked of the sandbox.
        let health = &service["healthcheck"];
        match name.as_str() {
            "gateway" => assert!(health.is_null()),
            "sandbox" => assert_eq!(health["disable"], true),
            _ => assert_eq!(texts(&health["test"])[0], "CMD", "{name}"),
        }
        let waits = service["depends_on"].as_object().into_iter().flatten();
        for (other, how) in waits {
            let checks = services[other]["healthcheck"]["test"].is_array();
            assert!(how["condition"] != "service_healthy" || checks, "{name} waits for {other}");
        }
    }
}

#[test]
fn the_services_know_each_other_by_the_names_that_they_have() {
    let compose = yaml(COMPOSE);
    let services = compose["services"].as_object().expect("services");
    let checked = patchgate(&["check", "--deny-warnings", GATEWAY]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    let gateway = yaml(GATEWAY);
    let at = |url: &str| {
        let (_, place) = url.split_once("://").expect("a URL");
        let (host, port) = place.rsplit_once(':').expect("a port");
        assert!(services.contains_key(host), "{url} is no service");
        (host.to_owned(), port.to_owned())
    };
    let sandbox = at(word(&gateway["upstream"]["url"]));
    assert!(texts(&services["sandbox"]["command"]).contains(&&*format!("0.0.0.0:{}", sandbox.1)));
    assert_eq!(at(word(&gateway["limits"]["store"]["url"])), ("store".into(), "6379".into()));
    // Where the gateway listens is what the image exposes and what is published.
    let ports: Vec<_> = last("EXPOSE").split(' ').map(str::to_owned).collect();
    for (listen, port) in [&gateway["listen"], &gateway["admin"]["listen"]].into_iter().zip(&ports)
    {
        assert_eq!(*listen, *format!("0.0.0.0:{port}"));
        let published = format!("127.0.0.1:{port}:{port}");
        assert!(texts(&services["gateway"]["ports"]).contains(&&*published), "{published}");
    }
    let scraping = yaml("deploy/prometheus/prometheus.yml");
    let target = word(&scraping["scrape_configs"][0]["static_configs"][0]["targets"][0]);
    assert_eq!(target, format!("gateway:{}", ports[1]));
    assert!(texts(&gateway["admin"]["hosts"]).contains(&"gateway"), "else it is answered 421");
    let source = yaml("deploy/compose/grafana/datasources/prometheus.yaml");
    let source = &source["datasources"][0];
    assert_eq!(at(word(&source["url"])).0, "prometheus");
    assert_eq!(source["jsonData"]["timeInterval"], scraping["global"]["scrape_interval"]);
    let provider = yaml("deploy/compose/grafana/dashboards/patchgate.yaml");
    let folder = word(&provider["providers"][0]["options"]["path"]);
    let mounts = texts(&services["grafana"]["volumes"]);
    assert!(mounts.contains(&&*format!("./grafana:{folder}:ro")), "{mounts:?}");
    let home =
        word(&services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]);
    assert_eq!(home, format!("{folder}/patchgate.json"));
    // What the gateway is started with is the file that was checked, and it leads to the same files.
    let command = texts(&services["gateway"]["command"]);
    let file = command.last().expect("a file");
    let inside = file.strip_prefix("/etc/patchgate/").expect("under the configuration");
    assert_eq!(inside, GATEWAY);
    for volume in texts(&services["gateway"]["volumes"]).iter().filter(|v| v.starts_with('.')) {
        let (from, rest) = volume.split_once(':').expect("a mount");
        let to = rest.trim_end_matches(":ro").strip_prefix("/etc/patchgate/").expect("a folder");
        assert_eq!(plain(&Path::new("deploy").join(from)), Path::new(to), "the same layout");
    }
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u32>().expect("seconds");
    let grace = seconds(word(&services["gateway"]["stop_grace_period"]));
    assert!(grace > seconds(word(&gateway["timeouts"]["drain"])), "it may end what it began");
    // The audit log is in a volume.
    let audit = word(&gateway["audit"]["file"]);
    let kept = texts(&services["gateway"]["volumes"]);
    assert!(kept.contains(&"audit:/var/lib/patchgate") && audit.starts_with("/var/lib/patchgate/"));
}
