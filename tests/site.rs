//! The documents as a site: it builds, leads nowhere that is not there, and loads nothing from elsewhere.

use crate::cli::process::{PROGRAM, finish, patchgate};
use crate::docs::{root, rows, text};
use crate::harness::packages;

use patchgate::cli::Cli;
use patchgate::violation::Code;

use clap::{Command as Clap, CommandFactory};
use regex::Regex;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder with the site, which is built once.
fn site() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("site-built");
        let mut build = Command::new(packages::python("site").join("mkdocs"));
        build.args(["build", "--strict", "--config-file", "docs/site/mkdocs.yml", "--site-dir"]);
        build.arg(&folder).current_dir(root());
        build.env("PATCHGATE", PROGRAM).env("NO_MKDOCS_2_WARNING", "1");
        let done = build.output().expect("mkdocs runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        folder
    })
}

/// Every file beneath `folder` whose name ends in `ending`, as it is called from there.
fn files(folder: &Path, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path.strip_prefix(folder).expect("beneath").display().to_string());
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} in {}", folder.display());
    found.sort();
    found
}

fn page(name: &str) -> String {
    let path = site().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every page, by its name.
fn pages() -> BTreeMap<String, String> {
    files(site(), ".html").into_iter().map(|name| (name.clone(), page(&name))).collect()
}

/// What stands in the groups of `pattern` in `text`.
fn all<'t>(pattern: &str, text: &'t str) -> Vec<&'t str> {
    let pattern = Regex::new(pattern).expect("a pattern");
    let groups = pattern.captures_iter(text).filter_map(|found| found.get(1));
    groups.map(|group| group.as_str()).collect()
}

/// The file of the site that `link` on the page `from` leads to.
fn target(from: &str, link: &str) -> String {
    let path = link.split(['#', '?']).next().unwrap_or_default();
    if path.is_empty() {
        return from.to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if path.starts_with('/') {
        parts.clear();
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => assert!(parts.pop().is_some(), "{from} leads out of the site: {link}"),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_link_leads_to_a_page_and_to_a_place_on_it() {
    let pages = pages();
    let anchors: BTreeMap<&str, BTreeSet<&str>> = pages
        .iter()
        .map(|(name, html)| {
            (&**name, all(r#"\s(?:id|name)="([^"]+)""#, html).into_iter().collect())
        })
        .collect();
    let outside = Regex::new("^(?:[a-z][a-z0-9+.-]*:|//)").expect("a pattern");
    let mut seen = 0;
    for (from, html) in &pages {
        for link in all(r#"\s(?:href|src)="([^"]*)""#, html) {
            if outside.is_match(link) {
                continue;
            }
            let link = link.replace("&amp;", "&");
            let to = target(from, &link);
            assert!(site().join(&to).is_file(), "{from} leads to {link}");
            if let Some((_, anchor)) = link.split_once('#').filter(|(_, anchor)| !anchor.is_empty())
            {
                // `__` begins what the theme's script makes.
                let there = anchors.get(&*to).is_some_and(|anchors| anchors.contains(anchor));
                assert!(there || anchor.starts_with("__"), "{from} leads to {link}");
            }
            seen += 1;
        }
    }
    assert!(seen > 3000, "{seen} links");
}

#[test]
fn no_page_loads_anything_from_another_host() {
    let loads = r#"<(?:audio|embed|form|iframe|img|link|object|script|source|use|video)\b([^>]*)>"#;
    let elsewhere = r#"((?:href|src|srcset|data|action|poster)="?(?:https?:)?//[^"\s>]*)"#;
    let styles = r#"((?:url\(|@import)\s*["']?(?:https?:)?//[^)]*)"#;
    for (name, html) in pages() {
        for tag in all(loads, &html) {
            assert_eq!(all(elsewhere, tag), Vec::<&str>::new(), "{name}");
        }
        assert_eq!(all(styles, &html), Vec::<&str>::new(), "{name}");
        // For these the theme's script would ask others.
        for asks in ["class=\"mermaid\"", "data-md-component=\"source\"", "unpkg.com"] {
            assert!(!html.contains(asks), "{name} has {asks}");
        }
    }
    for name in files(site(), ".css").into_iter().chain(files(site(), ".svg")) {
        assert_eq!(all(styles, &page(&name)), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn every_code_has_a_page_and_a_place_in_the_list() {
    let list = page("codes/index.html");
    for code in Code::ALL {
        let html = page(&format!("codes/{code}.html"));
        assert!(html.contains(&format!("<h1 id=\"{code}\">")), "{code}");
        assert!(list.contains(&format!("href=\"{code}.html\"")), "{code} is not in the list");
    }
}

#[test]
fn every_command_and_every_option_is_in_the_reference() {
    fn look(command: &Clap, words: &str, html: &str) {
        for beneath in command.get_subcommands().filter(|one| one.get_name() != "help") {
            let words = format!("{words} {}", beneath.get_name());
            let heading = format!("id=\"{}\"", words.replace(' ', "-"));
            let section = html.split(&heading).nth(1);
            let section = section.unwrap_or_else(|| panic!("`{words}` has no heading"));
            let section = section.split("<h2 ").next().expect("its text");
            for option in beneath.get_arguments().filter(|one| !one.is_hide_set()) {
                if let Some(long) = option.get_long() {
                    assert!(section.contains(&format!("--{long}")), "`{words}` has no --{long}");
                }
            }
            look(beneath, &words, html);
        }
    }
    look(&Cli::command(), "patchgate", &page("reference/cli.html"));
}

#[test]
fn every_key_of_a_file_is_in_the_reference() {
    for (kind, heading) in [
        ("gateway", "## The gateway file"),
        ("policy", "## The policy file"),
        ("cases", "## The case file"),
    ] {
        let html = page(&format!("reference/{kind}.html"));
        let keys: BTreeSet<&str> =
            all("<td><code>([^<]+)</code></td>", &html).into_iter().collect();
        for key in rows("docs/configuration.md", heading).into_keys() {
            assert!(keys.contains(&*key), "{kind} has no `{key}`");
        }
    }
}

#[test]
fn every_document_is_in_the_navigation() {
    let html = page("index.html");
    let led: BTreeSet<&str> =
        all(r##"<a href="([^"#]+)" class="md-nav__link"##, &html).into_iter().collect();
    for document in files(&root().join("docs"), ".md") {
        let to = document.replace(".md", ".html");
        // The page itself is named in another way.
        assert!(to == "index.html" || led.contains(&*to), "{document} is not in the navigation");
    }
    for name in ["readme", "security", "changelog", "contributing", "architecture"] {
        assert!(led.contains(&*format!("project/{name}.html")), "{name}");
    }
}

#[test]
fn every_example_loads_and_the_orders_are_covered_whole() {
    for example in files(&root().join("config/examples"), ".yaml") {
        let checked =
            patchgate(&["check", "--deny-warnings", &format!("config/examples/{example}")]);
        assert_eq!(checked.code, 0, "{example}: {}{}", checked.out, checked.err);
    }
    let tested = patchgate(&["test", "--fail-under", "100", "config/examples/orders"]);
    assert_eq!(tested.code, 0, "{}{}", tested.out, tested.err);
}

#[test]
fn the_picture_of_the_orders_is_what_the_graph_prints() {
    let policy = ["--policy", "config/examples/orders/orders.yaml"];
    let drawn = patchgate(&["graph", "--format", "svg", policy[0], policy[1]]);
    assert_eq!(drawn.out, text("docs/concepts/orders.svg"));
}

/// The fenced blocks of a document, each with its kind.
fn blocks(document: &str) -> Vec<(String, String)> {
    let text = text(document);
    let inside = text.split("\n```").skip(1).step_by(2);
    inside
        .filter_map(|block| block.split_once('\n'))
        .map(|(k, b)| (k.to_owned(), b.to_owned()))
        .collect()
}

#[test]
fn what_the_documents_quote_is_a_part_of_an_example() {
    let folder = root().join("config/examples");
    let read = |name: String| fs::read_to_string(folder.join(name)).expect("UTF-8");
    let examples: Vec<String> = files(&folder, "").into_iter().map(read).collect();
    let mut seen = 0;
    for document in ["docs/first-policy.md", "docs/recipes.md"] {
        for (kind, block) in blocks(document) {
            let run = ["patchgate ", "curl "].iter().any(|command| block.starts_with(command));
            if !["json", "nginx", "sh", "yaml"].contains(&&*kind) || (kind == "sh" && run) {
                continue;
            }
            // Whole lines, so that no key is cut in two.
            let there =
                |example: &String| format!("\n{example}\n").contains(&format!("\n{block}\n"));
            assert!(examples.iter().any(there), "{document} quotes what no example has:\n{block}");
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen} blocks");
}

#[test]
fn the_script_for_a_build_tells_the_three_answers_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    let programs = Path::new(PROGRAM).parent().expect("a folder").display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let run = || {
        let mut script = Command::new("sh");
        script.args(["config/examples/check-patches.sh", "config/examples/orders/orders.yaml"]);
        finish(script.arg(folder.path()).current_dir(root()).env("PATH", &path))
    };
    put("note.json", r#"[{"op":"add","path":"/note","value":"Ring twice."}]"#);
    put("line.json", r#"[{"op":"remove","path":"/lines/0"}]"#);
    put("line.current.json", &text("config/examples/orders/order.json"));
    let passed = run();
    assert!(passed.code == 0 && passed.out.matches("permitted").count() == 2, "{}", passed.out);
    put("total.json", r#"[{"op":"replace","path":"/total","value":1}]"#);
    put("other.json", r#"[{"op":"remove","path":"/lines/0"}]"#);
    let failed = run();
    assert_eq!(failed.code, 1, "{}", failed.out);
    for said in ["refused ", "pointer-forbidden op 0 at `/total`", "not judged "] {
        assert!(failed.out.contains(said), "{said}: {}", failed.out);
    }
}
