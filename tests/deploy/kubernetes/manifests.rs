//! Manifests: where they come from, and what is in them.

use crate::docs::{root, text};
use crate::harness::packages;

use regex::Regex;
use serde_json::{Value, json};

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub const CHART: &str = "deploy/helm/patchgate";
pub const POLICY: &str = "config/policies/partner-center-referrals.yaml";
pub const SCHEMA: &str = "schemas/referral.schema.json";
const SECRETS: &str = "/run/secrets/patchgate";

/// What `tests/deploy/render.py` makes of `arguments`, or how it refuses.
pub fn rendered(arguments: &[&str]) -> Result<Value, String> {
    let python = packages::python("deploy").join("python");
    let mut command = Command::new(python);
    command.arg("tests/deploy/render.py").args(arguments).current_dir(root());
    let done = command.output().expect("python runs");
    if done.status.success() {
        Ok(serde_json::from_slice(&done.stdout).expect("JSON"))
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

/// Documents that are applied together.
#[derive(Debug)]
pub struct Manifests {
    pub name: String,
    pub documents: Vec<Value>,
}

impl Manifests {
    fn of(name: &str, arguments: &[&str]) -> Self {
        let found = rendered(arguments).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found["lint"], json!([]), "{name}");
        let mut documents = Vec::new();
        for document in list(&found["documents"]) {
            assert_eq!(document["faults"], json!([]), "{name}: {}", document["file"]);
            documents.push(document["document"].clone());
        }
        Self { name: name.to_owned(), documents }
    }

    pub fn chart(name: &str, values: &Value) -> Self {
        Self::of(name, &["chart", CHART, &values.to_string()])
    }

    /// Everything of one kind.
    pub fn every(&self, kind: &str) -> Vec<&Value> {
        self.documents.iter().filter(|document| document["kind"] == kind).collect()
    }

    /// Every pod: what it is in the place of, with its labels, and its spec.
    pub fn pods(&self) -> Vec<(&Value, &Value, &Value)> {
        let mut pods = Vec::new();
        for pod in self.every("Pod") {
            pods.push((pod, &pod["metadata"]["labels"], &pod["spec"]));
        }
        for owner in self.every("Deployment") {
            let template = &owner["spec"]["template"];
            pods.push((owner, &template["metadata"]["labels"], &template["spec"]));
        }
        pods
    }

    /// The specs of the pods that a gateway is in, with its container.
    pub fn gateways(&self) -> Vec<(&Value, &Value)> {
        let mut found = Vec::new();
        for (_, _, spec) in self.pods() {
            for container in containers(spec) {
                if container["args"][0] == "run" {
                    found.push((spec, container));
                }
            }
        }
        found
    }
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text"))
}

pub fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    list(&spec["containers"]).iter().chain(list(&spec["initContainers"]))
}

/// A time of the configuration, in seconds.
pub fn seconds(time: &Value) -> u64 {
    let time = words(time);
    let number = |time: &str| time.parse::<u64>().expect("a number");
    match time.strip_suffix('m') {
        Some(minutes) => 60 * number(minutes),
        None => number(time.strip_suffix('s').expect("seconds")),
    }
}

/// The number of a port that is given by number or by name.
pub fn port(spec: &Value, wanted: &Value) -> Option<u64> {
    let mut ports = containers(spec).flat_map(|container| list(&container["ports"]));
    let found = ports.find(|port| port["name"] == *wanted || port["containerPort"] == *wanted);
    found.and_then(|port| port["containerPort"].as_u64())
}

pub fn port_of(address: &Value) -> Option<u64> {
    words(address).rsplit(':').next().and_then(|port| port.parse().ok())
}

/// Whether a selector, which has to demand something, selects what has these labels.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let demands = selector.as_object().expect("labels");
    !demands.is_empty() && demands.iter().all(|(key, value)| labels[key] == *value)
}

/// The chart with several sets of values, as a dependency, and the plain manifests.
pub fn everything() -> &'static [Manifests] {
    static EVERYTHING: OnceLock<Vec<Manifests>> = OnceLock::new();
    EVERYTHING.get_or_init(|| {
        let secrets = json!({ "existingSecret": "patchgate", "config": {
            "admin": { "token": "${file:/run/secrets/patchgate/admin-token}" },
            "credentials": { "api": { "static": { "token": "${file:/run/secrets/patchgate/api}" } } },
            "identity": [{ "api_key": "X-Api-Key" }],
            "partners": [{ "id": "sales", "credentials": "api",
                "api_keys": ["${file:/run/secrets/patchgate/sales.digest}"] }],
            "unknown_partners": "refuse" } });
        let off = json!({ "podDisruptionBudget": { "enabled": false },
            "networkPolicy": { "enabled": false }, "serviceAccount": { "create": false },
            "config": { "policy": "policies/mine.yaml" },
            "policy": { "shipped": false, "files": {
                "config/policies/mine.yaml": text(POLICY), (SCHEMA): text(SCHEMA) } } });
        let plain = "deploy/kubernetes";
        let policy = format!("{plain}/policy.yaml");
        vec![
            Manifests::chart("defaults", &json!({})),
            Manifests::chart("everything on", &on()),
            Manifests::chart("everything off", &off),
            Manifests::chart("secrets", &secrets),
            dependency(),
            Manifests::of("sidecar", &["plain", &policy, &format!("{plain}/sidecar.yaml")]),
            Manifests::of("egress", &["plain", &policy, &format!("{plain}/egress.yaml")]),
        ]
    })
}

/// Values that have everything on.
fn on() -> Value {
    let peer = json!({ "namespaceSelector": { "matchLabels": { "team": "operators" } } });
    let mut values = json!({
        "fullnameOverride": "outside",
        "imagePullSecrets": [{ "name": "registry" }],
        "podAnnotations": { "a": "b" },
        "podLabels": { "team": "x" },
        "priorityClassName": "high",
        "restartOnChange": true,
        "terminationGracePeriodSeconds": 90,
    });
    let digest = format!("sha256:{}", "0".repeat(64));
    values["image"] = json!({ "digest": digest, "pullPolicy": "Always" });
    values["config"] = json!({
        "listen": "0.0.0.0:8443",
        "shadow": "policies/mine.yaml",
        "h2c": false,
        "admin": { "listen": "0.0.0.0:9191", "hosts": ["gateway.example"] },
        "timeouts": { "drain": "1m" },
        "bounds": { "connections": 10_000_000 },
    });
    values["policy"] = json!({ "files": { "config/policies/mine.yaml": text(POLICY) } });
    values["serviceAccount"] = json!({ "name": "caller", "annotations": { "a": "b" } });
    values["service"] = json!({ "type": "LoadBalancer", "port": 443, "annotations": { "a": "b" } });
    values["autoscaling"] = json!({ "enabled": true });
    values["nodeSelector"] = json!({ "kubernetes.io/os": "linux" });
    values["tolerations"] = json!([{ "key": "a", "operator": "Exists" }]);
    let on_linux = json!({ "key": "kubernetes.io/os", "operator": "In", "values": ["linux"] });
    let terms = json!({ "nodeSelectorTerms": [{ "matchExpressions": [on_linux] }] });
    values["affinity"] =
        json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": terms } });
    values["topologySpreadConstraints"] = json!([{
        "maxSkew": 1,
        "topologyKey": "a",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": { "matchLabels": { "a": "b" } },
    }]);
    values["extraEnv"] = json!([{ "name": "NAME", "value": "outside" }]);
    values["extraVolumes"] = json!([{ "name": "audit", "emptyDir": { "sizeLimit": "1Gi" } }]);
    values["extraVolumeMounts"] = json!([{ "name": "audit", "mountPath": "/var/log/patchgate" }]);
    let store = json!({ "to": [peer], "ports": [{ "protocol": "TCP", "port": 6379 }] });
    values["networkPolicy"] = json!({ "operators": [peer], "extraEgress": [store] });
    values["serviceMonitor"] = json!({ "enabled": true, "labels": { "release": "x" } });
    values
}

/// The chart of an application that has this one as a dependency, from the blocks of the document.
fn dependency() -> Manifests {
    let folder = tempfile::tempdir().expect("a folder");
    let document = text("docs/kubernetes.md");
    let block = |holds: &str| -> String {
        let blocks = document.split("\n```yaml\n").skip(1);
        let mut blocks = blocks.map(|block| block.split("\n```").next().unwrap_or_default());
        blocks.find(|block| block.contains(holds)).expect("a block").to_owned()
    };
    for sub in ["templates", "charts"] {
        fs::create_dir(folder.path().join(sub)).expect("a folder");
    }
    for (name, holds) in [
        ("Chart.yaml", "repository: file://"),
        ("values.yaml", "mode: sidecar"),
        ("templates/deployment.yaml", "patchgate.volumes"),
    ] {
        fs::write(folder.path().join(name), block(holds)).expect("a file");
    }
    let copied = Command::new("cp")
        .args(["-r", CHART])
        .arg(folder.path().join("charts"))
        .current_dir(root())
        .status();
    assert!(copied.expect("cp runs").success());
    let values = json!({ "patchgate": { "existingSecret": "patchgate" } }).to_string();
    Manifests::of("dependency", &["chart", &folder.path().display().to_string(), &values])
}

/// Lays out in `folder` what is mounted at /etc/patchgate, as the kubelet does: files in the folder
/// `version`, `..data` that leads there, and links through that. Gives the gateway file.
pub fn lay_out(manifests: &Manifests, spec: &Value, folder: &Path, version: &str) -> PathBuf {
    let volume = list(&spec["volumes"]).iter().find(|volume| {
        let mounts = |mount: &&Value| mount["mountPath"] == "/etc/patchgate";
        let name = containers(spec).flat_map(|c| list(&c["volumeMounts"])).find(mounts);
        volume["name"] == name.expect("a mount")["name"]
    });
    let volume = volume.expect("a volume");
    let own = [volume.clone()];
    let sources = if volume["projected"].is_null() {
        own.as_slice()
    } else {
        list(&volume["projected"]["sources"])
    };
    let secrets = folder.join("secrets");
    fs::create_dir_all(&secrets).expect("a folder");
    let reference = Regex::new(r"\$\{file:/run/secrets/patchgate/([\w.-]+)\}").expect("a pattern");
    for source in sources.iter().map(|source| &source["configMap"]) {
        let maps = manifests.every("ConfigMap");
        let map = maps.iter().find(|map| map["metadata"]["name"] == source["name"]);
        let map = map.unwrap_or_else(|| panic!("{}: there is no {source}", manifests.name));
        for item in list(&source["items"]) {
            let text = words(&map["data"][words(&item["key"])]);
            for found in reference.captures_iter(text) {
                let file = secrets.join(&found[1]);
                let digest = format!("sha256:{:0>64x}", found[1].len());
                let secret = if found[1].ends_with(".digest") { digest } else { "x".repeat(40) };
                fs::write(&file, secret).expect("a file");
                fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).expect("a mode");
            }
            let path = folder.join(version).join(words(&item["path"]));
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text.replace(SECRETS, &secrets.display().to_string())).expect("a file");
        }
    }
    symlink(version, folder.join("..data_tmp")).expect("a link");
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("renamed");
    for name in ["config", "schemas"] {
        // There already, where this is another version.
        let _ = symlink(format!("..data/{name}"), folder.join(name));
    }
    folder.join("config/patchgate.yaml")
}
