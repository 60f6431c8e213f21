//! The Debian package, `deploy/debian`: built of the program that is tested, and put into a Debian of
//! its own, which is this machine's with all that is written kept in memory.

use crate::cli::process::PROGRAM;
use crate::docs::root;

use regex::Regex;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Runs `command`, which has to go well; gives what it prints.
pub fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {out}{err}");
    out.into_owned()
}

/// Builds the package in `target`, in the folder `name`.
fn built(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let mut build = Command::new(root().join("deploy/debian/build"));
    build.arg(PROGRAM).arg(&folder).env("SOURCE_DATE_EPOCH", "1700000000");
    // What is shipped is pressed with xz, which takes half a minute for a program with all its checks.
    build.env("DPKG_DEB_COMPRESSOR_TYPE", "gzip").env("DPKG_DEB_COMPRESSOR_LEVEL", "1");
    PathBuf::from(run(&mut build).trim_end())
}

/// The package, built once.
fn package() -> &'static Path {
    static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| built("debian"));
    &PACKAGE
}

/// Runs `tests/deploy/debian/STEPS` in a Debian with the package at `/share/patchgate.deb`; `booted` has
/// systemd as its first process, `plain` none. It needs root, and a kernel that lets it mount: where not
/// even one in which nothing is done can be made, nothing is tried.
pub fn in_a_debian(how: &str, steps: &str) {
    let share = tempfile::tempdir().expect("a folder");
    let inside = |steps: &Path| {
        let mut inside = Command::new(root().join("tests/deploy/debian/inside"));
        inside.arg(how).arg(steps).arg(share.path());
        inside
    };
    let nothing = share.path().join("nothing");
    fs::write(&nothing, "echo done\n").expect("a file");
    let made = inside(&nothing).output().expect("bash");
    if !made.status.success() {
        let why = String::from_utf8_lossy(&made.stderr);
        tell(&format!("{steps} is not tried, as no Debian can be made here: {why}"));
        return;
    }
    fs::copy(package(), share.path().join("patchgate.deb")).expect("copied");
    let told = run(&mut inside(&root().join("tests/deploy/debian").join(steps)));
    tell(&told);
    assert!(told.contains("done\n"), "it came to no end: {told}");
}

#[expect(clippy::print_stdout, reason = "the harness keeps it back unless it is asked for")]
fn tell(told: &str) {
    println!("{told}");
}

fn dpkg_deb(arguments: &[&str]) -> String {
    run(Command::new("dpkg-deb").args(arguments).env("TZ", "UTC"))
}

#[test]
fn the_same_program_and_sources_make_the_same_package() {
    let again = built("debian-again");
    assert_eq!(again.file_name(), package().file_name());
    assert!(fs::read(again).expect("a file") == fs::read(package()).expect("a file"));
}

#[test]
fn the_package_says_what_it_is_and_what_it_needs() {
    let package = package().to_str().expect("UTF-8");
    let field = |name: &str| dpkg_deb(&["--field", package, name]).trim_end().to_owned();
    assert_eq!(field("Package"), "patchgate");
    assert_eq!(field("Version"), concat!(env!("CARGO_PKG_VERSION"), "-1"));
    assert_eq!((field("Section"), field("Priority")), ("net".into(), "optional".into()));
    let depends = field("Depends");
    for wanted in [r"^libc6 \(>= 2\.\d+\), ", r", procps, ", r"\bsystemd \| systemd-standalone-"] {
        assert!(Regex::new(wanted).expect("a pattern").is_match(&depends), "{wanted}: {depends}");
    }
    let size: u64 = field("Installed-Size").parse().expect("a number");
    assert!(size > 1000, "{size} KiB");
}

#[test]
fn the_package_holds_what_belongs_to_it_and_nothing_that_others_may_change() {
    let package = package().to_str().expect("UTF-8");
    let line = Regex::new(r"(?m)^(\S{10}) (\S+) +\d+ (\S+ \S+) \./(\S*)$").expect("a pattern");
    let listed = dpkg_deb(&["--contents", package]);
    let mut files = BTreeSet::new();
    for found in line.captures_iter(&listed) {
        let (mode, owner, time, path) = (&found[1], &found[2], &found[3], &found[4]);
        assert_eq!(owner, "root/root", "{path}");
        assert_eq!(time, "2023-11-14 22:13", "{path}");
        assert!(!mode[1..].contains('s') && mode.as_bytes()[5] == b'-', "{path}: {mode}");
        assert_eq!(mode.as_bytes()[8], b'-', "{path}: {mode}");
        if mode.starts_with('-') {
            files.insert(format!("/{path}"));
        }
    }
    assert_eq!(line.captures_iter(&listed).count(), listed.lines().count(), "{listed}");
    let settings = files.iter().filter(|path| path.starts_with("/etc/"));
    let settings: BTreeSet<&str> = settings.map(String::as_str).collect();
    let kept = dpkg_deb(&["--info", package, "conffiles"]);
    let kept: BTreeSet<&str> = kept.lines().collect();
    assert_eq!(kept, settings, "dpkg keeps what was changed of these alone");
    for folder in ["config/policies", "schemas"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let path = format!("/etc/patchgate/{folder}/{}", name.to_str().expect("UTF-8"));
            assert!(files.contains(&path), "there is no {path}");
        }
    }
    let commands = run(Command::new(PROGRAM).arg("--help"));
    let command = Regex::new(r"(?m)^  ([a-z]+)  ").expect("a pattern");
    let mut pages = vec!["patchgate".to_owned()];
    let names = command.captures_iter(&commands).map(|found| found[1].to_owned());
    pages.extend(names.filter(|name| name != "help").map(|name| format!("patchgate-{name}")));
    assert!(pages.len() > 20, "{pages:?}");
    let pages = pages.into_iter().map(|page| format!("/usr/share/man/man1/{page}.1.gz"));
    for path in pages.chain(
        [
            "/etc/patchgate/config/gateway.yaml",
            "/etc/logrotate.d/patchgate",
            "/usr/bin/patchgate",
            "/usr/lib/systemd/system/patchgate.service",
            "/usr/lib/systemd/system/patchgate.socket",
            "/usr/lib/systemd/system/patchgate-admin.socket",
            "/usr/lib/sysusers.d/patchgate.conf",
            "/usr/share/bash-completion/completions/patchgate",
            "/usr/share/zsh/vendor-completions/_patchgate",
            "/usr/share/fish/vendor_completions.d/patchgate.fish",
            "/usr/share/doc/patchgate/copyright",
            "/usr/share/doc/patchgate/changelog.gz",
            "/usr/share/doc/patchgate/README.md.gz",
            "/usr/share/doc/patchgate/examples/credentials.conf",
            "/usr/share/patchgate/prometheus/alerts.yaml",
            "/usr/share/patchgate/grafana/patchgate.json",
        ]
        .map(str::to_owned),
    ) {
        assert!(files.contains(&path), "there is no {path}");
    }
}

#[test]
fn what_an_administrator_made_is_kept_by_upgrades_and_by_a_purge() {
    in_a_debian("plain", "package.steps");
}
