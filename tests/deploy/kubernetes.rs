//! The Helm chart and the plain manifests, as Helm renders them and Kubernetes takes them. What only a
//! cluster could show is told in `docs/kubernetes.md`.

mod manifests;

use manifests::{
    CHART, Manifests, POLICY, SCHEMA, containers, everything, lay_out, list, port, port_of,
    rendered, seconds, selects, words,
};

use crate::cli::process::{BOUND, Gateway, ask, patchgate};
use crate::docs::{rows, text};
use crate::harness::eventually;

use regex::Regex;
use serde_json::{Value, json};

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The configuration of the gateway in a pod, with every default, once it is seen to be valid.
fn configuration(manifests: &Manifests, spec: &Value) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let file = lay_out(manifests, spec, folder.path(), "..1").display().to_string();
    let checked = patchgate(&["check", "--deny-warnings", &file]);
    assert_eq!(checked.code, 0, "{}: {}{}", manifests.name, checked.out, checked.err);
    let printed = patchgate(&["check", "--print-config", &file]);
    serde_json::from_str(&printed.out).expect("JSON")
}

#[test]
fn every_container_is_as_closed_as_it_can_be() {
    for manifests in everything() {
        for (owner, _, spec) in manifests.pods() {
            let name = format!("{}: {}", manifests.name, owner["metadata"]["name"]);
            assert_eq!(spec["automountServiceAccountToken"], json!(false), "{name}");
            for key in ["hostNetwork", "hostPID", "hostIPC"] {
                assert!(spec[key].is_null(), "{name}: {key}");
            }
            assert!(containers(spec).count() > 0, "{name}");
            for container in containers(spec) {
                let name = format!("{name}: {}", container["name"]);
                let own = &container["securityContext"];
                let either = |key: &str| {
                    if own[key].is_null() { &spec["securityContext"][key] } else { &own[key] }
                };
                assert_eq!(*either("runAsNonRoot"), json!(true), "{name}");
                assert_eq!(either("seccompProfile")["type"], "RuntimeDefault", "{name}");
                assert_eq!(own["readOnlyRootFilesystem"], json!(true), "{name}");
                assert_eq!(own["allowPrivilegeEscalation"], json!(false), "{name}");
                assert_eq!(own["capabilities"], json!({ "drop": ["ALL"] }), "{name}");
                assert!(own["privileged"].is_null(), "{name}");
                if container["name"] != "application" {
                    assert_eq!(own["runAsUser"], 65532, "{name}");
                    assert_eq!(own["runAsGroup"], 65532, "{name}");
                }
                assert!(container["resources"]["requests"]["cpu"].is_string(), "{name}");
                assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
            }
        }
    }
}

#[test]
fn every_mount_exists_and_is_a_whole_folder() {
    for manifests in everything() {
        for (_, _, spec) in manifests.pods() {
            let volumes: BTreeSet<_> =
                list(&spec["volumes"]).iter().map(|volume| words(&volume["name"])).collect();
            for mount in containers(spec).flat_map(|container| list(&container["volumeMounts"])) {
                assert!(volumes.contains(words(&mount["name"])), "{}: {mount}", manifests.name);
                assert!(mount["subPath"].is_null(), "{}: {mount}", manifests.name);
            }
            for volume in list(&spec["volumes"]) {
                assert!(volume["hostPath"].is_null(), "{}: {volume}", manifests.name);
                if !volume["secret"].is_null() {
                    assert_eq!(volume["secret"]["defaultMode"], 0o440, "{}", manifests.name);
                    assert_eq!(spec["securityContext"]["fsGroup"], 65532, "{}", manifests.name);
                }
            }
        }
    }
}

#[test]
fn every_gateway_has_a_valid_configuration_that_fits_its_pod() {
    for manifests in everything() {
        let name = &manifests.name;
        let gateways = manifests.gateways();
        assert_eq!(gateways.len(), 1, "{name}");
        for (spec, container) in gateways {
            assert_eq!(container["args"][2], "/etc/patchgate/config/patchgate.yaml", "{name}");
            let config = configuration(manifests, spec);
            let is_sidecar = container["restartPolicy"] == "Always";
            let listen = words(&config["listen"]);
            assert!(
                listen.starts_with(if is_sidecar { "127.0.0.1:" } else { "0.0.0.0:" }),
                "{name}"
            );
            let admin = port_of(&config["admin"]["listen"]);
            assert!(words(&config["admin"]["listen"]).starts_with("0.0.0.0:"), "{name}");
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                let get = &container[probe]["httpGet"];
                assert!(["/livez", "/readyz"].contains(&words(&get["path"])), "{name}: {probe}");
                assert_eq!(port(spec, &get["port"]), admin, "{name}: {probe}");
            }
            assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/livez", "{name}");
            assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz", "{name}");
            if !is_sidecar {
                assert_eq!(
                    port(spec, &json!(port_of(&config["listen"]))),
                    port_of(&config["listen"])
                );
            }
            let grace = spec["terminationGracePeriodSeconds"].as_u64().expect("a number");
            let timeouts = &config["timeouts"];
            let stop = seconds(&timeouts["drain_delay"]) + seconds(&timeouts["drain"]);
            assert!(grace > stop, "{name}: {grace} s for {stop} s");
            for service in manifests.every("Service") {
                let ports = list(&service["spec"]["ports"]);
                let leads =
                    |to: Option<u64>| ports.iter().any(|p| port(spec, &p["targetPort"]) == to);
                assert!(leads(admin) != leads(port_of(&config["listen"])), "{name}: {service}");
                if leads(admin) {
                    let named = |key: &str| words(&service["metadata"][key]);
                    let (own, space) = (named("name"), named("namespace"));
                    let hosts = list(&config["admin"]["hosts"]);
                    for host in [
                        own.to_owned(),
                        format!("{own}.{space}"),
                        format!("{own}.{space}.svc"),
                        format!("{own}.{space}.svc.cluster.local"),
                    ] {
                        assert!(hosts.contains(&json!(host)), "{name}: {host}");
                    }
                }
            }
        }
    }
}

#[test]
fn whatever_selects_or_names_something_finds_it() {
    for manifests in everything() {
        let name = &manifests.name;
        let pods = manifests.pods();
        // A namespace that is left out is the one that all are applied in.
        let found = |what: &Value, selector: &Value| {
            for (owner, labels, spec) in &pods {
                let is_near = owner["metadata"]["namespace"] == what["metadata"]["namespace"];
                if is_near && selects(selector, labels) {
                    return *spec;
                }
            }
            panic!("{name}: {selector} selects nothing")
        };
        for deployment in manifests.every("Deployment") {
            found(deployment, &deployment["spec"]["selector"]["matchLabels"]);
        }
        for budget in manifests.every("PodDisruptionBudget") {
            found(budget, &budget["spec"]["selector"]["matchLabels"]);
        }
        for scaler in manifests.every("HorizontalPodAutoscaler") {
            let target = &scaler["spec"]["scaleTargetRef"]["name"];
            let deployments = manifests.every("Deployment");
            let target = deployments.iter().find(|d| d["metadata"]["name"] == *target);
            assert!(
                target.expect("a target")["spec"]["replicas"].is_null(),
                "{name}: who decides?"
            );
            assert!(scaler["spec"]["minReplicas"].as_u64() >= Some(2), "{name}");
        }
        let services = manifests.every("Service");
        for service in &services {
            let pod = found(service, &service["spec"]["selector"]);
            for wanted in list(&service["spec"]["ports"]) {
                assert!(port(pod, &wanted["targetPort"]).is_some(), "{name}: {wanted}");
            }
        }
        for monitor in manifests.every("ServiceMonitor") {
            assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
            let selector = &monitor["spec"]["selector"]["matchLabels"];
            let selected: Vec<_> =
                services.iter().filter(|s| selects(selector, &s["metadata"]["labels"])).collect();
            assert_eq!(selected.len(), 1, "{name}");
            for endpoint in list(&monitor["spec"]["endpoints"]) {
                let ports = list(&selected[0]["spec"]["ports"]);
                assert!(ports.iter().any(|port| port["name"] == endpoint["port"]), "{name}");
                assert_eq!(endpoint["path"], "/metrics", "{name}");
            }
        }
        for policy in manifests.every("NetworkPolicy") {
            let spec = &policy["spec"];
            // No rule is open to everybody, but for the port of an application.
            for rule in list(&spec["egress"]) {
                assert!(!list(&rule["to"]).is_empty(), "{name}: {rule}");
                assert!(!list(&rule["ports"]).is_empty(), "{name}: {rule}");
            }
            if spec["podSelector"] != json!({}) {
                let pod = found(policy, &spec["podSelector"]["matchLabels"]);
                for rule in list(&spec["ingress"]) {
                    for wanted in list(&rule["ports"]) {
                        let number = port(pod, &wanted["port"]);
                        assert!(number.is_some(), "{name}: {wanted}");
                        let is_open = list(&rule["from"]).is_empty();
                        assert!(!is_open || number == Some(8000), "{name}: {rule}");
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_but_the_gateway_leaves_the_cluster() {
    let egress = everything().iter().find(|manifests| manifests.name == "egress").expect("it");
    let policies = egress.every("NetworkPolicy");
    let of = |name: &str| {
        let found = policies.iter().find(|policy| policy["metadata"]["name"] == name);
        &found.unwrap_or_else(|| panic!("there is no {name}"))["spec"]
    };
    // Every pod of the gateway's namespace is closed, and then one is opened.
    let closed = json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] });
    assert_eq!(*of("nothing-else"), closed);
    let mut ways = 0;
    for policy in &policies {
        for rule in list(&policy["spec"]["egress"]) {
            for block in list(&rule["to"]).iter().map(|peer| &peer["ipBlock"]) {
                if block.is_null() {
                    continue;
                }
                ways += 1;
                assert_eq!(policy["metadata"]["name"], "patchgate");
                assert_eq!(rule["ports"], json!([{ "protocol": "TCP", "port": 443 }]));
                let inside: &[&str] = match words(&block["cidr"]) {
                    "::/0" => &["fc00::/7", "fe80::/10"],
                    _ => &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"],
                };
                for network in inside {
                    assert!(list(&block["except"]).contains(&json!(network)), "{network}");
                }
            }
        }
    }
    assert_eq!(ways, 2, "IPv4 and IPv6");
    // Applications: the gateway and names.
    let applications = of("only-patchgate");
    assert_eq!(applications["podSelector"], json!({}));
    assert_eq!(applications["policyTypes"], json!(["Egress"]));
    let ports: Vec<_> = list(&applications["egress"])
        .iter()
        .flat_map(|rule| list(&rule["ports"]))
        .map(|port| port["port"].as_u64())
        .collect();
    assert_eq!(ports, [Some(8080), Some(53), Some(53)]);
}

/// The status of a GET that is sent for `host`.
fn status(address: SocketAddr, path: &str, host: &str) -> String {
    let mut tcp = TcpStream::connect(address).expect("a connection");
    tcp.set_read_timeout(Some(BOUND)).expect("a bound");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    tcp.write_all(head.as_bytes()).expect("it is read");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).expect("a status").to_owned()
}

#[test]
fn a_gateway_answers_what_is_asked_of_it_and_takes_what_the_kubelet_swaps() {
    let values = json!({ "config": { "upstream": { "url": "sandbox" },
        "reload": { "every": "100ms" } }, "serviceMonitor": { "enabled": true } });
    let mut manifests = Manifests::chart("served", &values);
    for document in &mut manifests.documents {
        if document["kind"] == "ConfigMap" {
            let text = words(&document["data"]["config.patchgate.yaml"]).to_owned();
            let text = text.replace("0.0.0.0:8080", "127.0.0.1:0");
            document["data"]["config.patchgate.yaml"] =
                json!(text.replace("0.0.0.0:9090", "127.0.0.1:0"));
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (spec, container) = manifests.gateways()[0];
    let file = lay_out(&manifests, spec, folder.path(), "..1");
    let gateway = Gateway::run(&file.display().to_string());

    // As the kubelet asks, by the address of the pod.
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = words(&container[probe]["httpGet"]["path"]);
        assert_eq!(status(gateway.admin, path, "10.1.2.3:9090"), "200", "{probe}");
    }
    let monitors = manifests.every("ServiceMonitor");
    let path = words(&monitors[0]["spec"]["endpoints"][0]["path"]);
    assert_eq!(status(gateway.admin, path, "10.1.2.3:9090"), "200");

    // As the test of the chart asks, by the name of the service.
    let tests = manifests.every("Pod");
    let arguments = &tests[0]["spec"]["containers"][0]["args"];
    assert_eq!((&arguments[0], &arguments[1]), (&json!("healthcheck"), &json!("--admin")));
    assert_eq!(status(gateway.admin, "/readyz", words(&arguments[2])), "200");
    assert_eq!(status(gateway.admin, "/readyz", "elsewhere.example:9090"), "421");
    let asked = patchgate(&["healthcheck", "--admin", &gateway.admin.to_string()]);
    assert_eq!(asked.code, 0, "{}{}", asked.out, asked.err);

    // The policy is found through the links, and a swap of them is seen.
    let mut changed = Manifests { name: "changed".into(), documents: manifests.documents.clone() };
    for document in &mut changed.documents {
        if document["kind"] == "ConfigMap" {
            let text = words(&document["data"]["config.policies.partner-center-referrals.yaml"]);
            let text = text.replace("errors: problem", "errors: partner-center");
            document["data"]["config.policies.partner-center-referrals.yaml"] = json!(text);
        }
    }
    lay_out(&changed, spec, folder.path(), "..2");
    let metrics = || {
        let answer = ask(gateway.admin, "GET /metrics", &[], "");
        answer.body.contains("patchgate_reloads_total{result=\"taken\"} 1")
    };
    eventually("the other policy", metrics);
}

#[test]
fn what_is_misspelt_is_refused() {
    for (values, wrong) in [
        (json!({ "replicaCuont": 3 }), "replicaCuont"),
        (json!({ "networkPolicy": { "enable": false } }), "enable"),
        (json!({ "config": { "upsteam": {} } }), "upsteam"),
        (json!({ "mode": "gateway" }), "mode"),
        (json!({ "policy": { "files": { "../mine.yaml": "" } } }), "../mine.yaml"),
    ] {
        let refused = rendered(&["chart", CHART, &values.to_string()]).expect_err("it is refused");
        assert!(refused.contains(wrong), "{refused}");
    }
}

#[test]
fn values_their_schema_and_their_table_name_the_same() {
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().expect("keys").keys().cloned().collect()
    };
    let values = text(&format!("{CHART}/values.yaml"));
    let key = Regex::new("(?m)^([A-Za-z]+):").expect("a pattern");
    let values: BTreeSet<_> = key.captures_iter(&values).map(|found| found[1].to_owned()).collect();
    let told: BTreeSet<_> = rows("docs/kubernetes.md", "### Values").into_keys().collect();
    assert_eq!(told, values);
    let json = |path: &str| -> Value { serde_json::from_str(&text(path)).expect("JSON") };
    let schema = json(&format!("{CHART}/values.schema.json"));
    let mut known = keys(&schema["properties"]);
    assert!(known.remove("global"), "Helm gives it to every chart");
    assert_eq!(known, values);
    let mut gateway = keys(&json("schemas/gateway.schema.json")["properties"]);
    assert!(gateway.remove("apiVersion") && gateway.remove("kind"), "the chart adds them");
    assert_eq!(keys(&schema["properties"]["config"]["properties"]), gateway);
}

#[test]
fn the_policies_are_those_that_are_shipped() {
    let again = "copy it; `deploy/kubernetes/policy.yaml` says how it is made";
    for path in [POLICY, SCHEMA] {
        assert_eq!(text(&format!("{CHART}/files/{path}")), text(path), "{path}: {again}");
    }
    for manifests in everything() {
        for map in manifests.every("ConfigMap") {
            for (key, shipped) in map["data"].as_object().expect("files") {
                for path in [POLICY, SCHEMA] {
                    if path.ends_with(&format!("/{key}")) || path.replace('/', ".") == *key {
                        assert_eq!(words(shipped), text(path), "{}: {again}", manifests.name);
                    }
                }
            }
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let chart = text(&format!("{CHART}/Chart.yaml"));
    assert!(chart.contains(&format!("\nappVersion: {version}\n")), "{chart}");
    for name in ["sidecar", "egress"] {
        let plain = text(&format!("deploy/kubernetes/{name}.yaml"));
        assert!(plain.contains(&format!("image: patchgate:{version}\n")), "{name}");
    }
}
