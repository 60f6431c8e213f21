"""What a chart or plain manifests come to, as JSON: `render.py chart FOLDER VALUES` or `render.py plain FILE…`.

Every document is validated strictly against the schemas of Kubernetes of the versions below. Exits with 1 and a
message where Helm refuses.
"""

import json
import sys

import helm_python as helm
import kubernetes_validate
import yaml

# The oldest that is promised, and the newest that the package knows.
VERSIONS = ["1.29", "1.37"]
# Kinds that Kubernetes does not know by itself.
CUSTOM = ["ServiceMonitor"]


class Strict(yaml.SafeLoader):
    """Refuses a key that is there twice, as the API server does."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"`{key}` is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def documents(name, text):
    for document in yaml.load_all(text, Loader=Strict):
        if document is not None:
            yield {"file": name, "document": document, "faults": list(faults(document))}


def faults(document):
    if document["kind"] in CUSTOM:
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{version}: {'.'.join(str(step) for step in error.path)}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield error.message


def chart(folder, values):
    values = json.loads(values)
    lint = helm.lint(folder, values, strict=True, namespace="gateways", with_subcharts=True)
    with helm.Chart.load(folder) as loaded:
        loaded.validate_schema(values)
        rendered = loaded.render(values, name="edge", namespace="gateways")
    # An icon is for catalogues.
    lint = [found["error"] for found in lint["messages"] if "icon is recommended" not in found["error"]]
    notes = {name: text for name, text in rendered.items() if name.endswith("NOTES.txt")}
    found = [found for name in sorted(rendered.keys() - notes) for found in documents(name, rendered[name])]
    return {"lint": lint, "notes": "".join(notes.values()), "documents": found}


def plain(*files):
    return {"lint": [], "documents": [found for name in files for found in documents(name, open(name, encoding="utf-8"))]}


try:
    print(json.dumps({"chart": chart, "plain": plain}[sys.argv[1]](*sys.argv[2:])))
except (helm.HelmError, yaml.YAMLError) as error:
    sys.exit(str(error))
