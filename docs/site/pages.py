"""What the site has beside docs/: the documents at the top of the repository, a page for each code of a violation, the
commands as the program tells them, the file formats as their schemas tell them, and the files that documents link to.

Nothing of it is kept: it is made anew with each build."""

import html
import json
import os
import posixpath
import re
import subprocess
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs"
CODES = "src/violation/pages"
# Pages of the site, each with the file that it comes from.
PROJECT = {f"project/{p.stem.lower()}.md": p.name for p in sorted(ROOT.glob("*.md"))}
KINDS = {"gateway": "The gateway file", "policy": "The policy file", "cases": "The case file"}
LANGUAGES = {"yaml": "yaml", "yml": "yaml", "json": "json", "rs": "rust", "py": "python", "sh": "sh", "conf": "nginx"}
LINK = re.compile(r"(?<!\\)(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)\s]+)\)")
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1[`~]*\s*$", re.M | re.S)

# Of each page that is not in docs/ as a file, the file of the repository that its links are relative to.
sources = {}


def on_config(config):
    # Anchors are those that a git host makes, so that one link serves both.
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    for entry in config.nav:
        if "Codes" in entry:
            entry["Codes"] = ["codes/index.md", *(f"codes/{code}.md" for code in codes())]
    return config


def on_files(files, config):
    sources.clear()
    pages = {}
    for page, name in PROJECT.items():
        sources[page] = name
        pages[page] = (ROOT / name).read_text("utf-8")
    for code in codes():
        sources[f"codes/{code}.md"] = f"{CODES}/{code}.md"
        pages[f"codes/{code}.md"] = (ROOT / CODES / f"{code}.md").read_text("utf-8")
    pages["codes/index.md"] = list_of_codes(pages)
    pages["reference/cli.md"] = commands()
    for kind, title in KINDS.items():
        schema = json.loads((ROOT / "schemas" / f"{kind}.schema.json").read_text("utf-8"))
        pages[f"reference/{kind}.md"] = file_format(kind, title, schema)
    texts = dict(pages)
    for file in files.documentation_pages():
        texts[file.src_uri] = Path(file.abs_src_path).read_text("utf-8")
    for page, text in texts.items():
        for _, target in LINK.findall(FENCE.sub("", text)):
            linked = in_repository(page, target.partition("#")[0])
            if linked and site_page(linked).startswith("files/"):
                pages[site_page(linked)] = shown(linked)
    files.append(File.generated(config, GRAPH, content=told("graph", "--format", "svg")))
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    uri = page.file.src_uri
    if uri == "index.md":
        page.meta["hide"] = ["navigation", "toc"]
    if uri == "referrals-policy.md":
        markdown = drawn(markdown)
    kept = []

    def keep(match):
        kept.append(match[0])
        return f"\0{len(kept) - 1}\0"

    def led(match):
        target, hash_, anchor = match[2].partition("#")
        linked = in_repository(uri, target)
        if not linked:
            return match[0]
        to = posixpath.relpath(site_page(linked), posixpath.dirname(uri) or ".")
        return f"{match[1]}({to}{hash_}{anchor})"

    markdown = LINK.sub(led, FENCE.sub(keep, markdown))
    return re.sub("\0(\\d+)\0", lambda match: kept[int(match[1])], markdown)


def on_page_content(html, page, config, files):
    # What stands beside a box is its name, but no label of it.
    return html.replace('<input type="checkbox" ', '<input type="checkbox" aria-label="done" ')


def codes():
    return sorted(p.stem for p in (ROOT / CODES).glob("*.md"))


def in_repository(page, target):
    """The file of the repository that a link on `page` leads to; nothing where it leads elsewhere."""
    if not target or re.match(r"[a-z][a-z0-9+.-]*:|/", target):
        return None
    if page.startswith(("reference/", "files/")) or page == "codes/index.md":
        return None
    source = sources.get(page, f"{DOCS}/{page}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    return path if not path.startswith("..") and (ROOT / path).exists() else None


def site_page(path):
    """Where a file of the repository stands in the site."""
    if path.startswith(f"{DOCS}/"):
        return path[len(DOCS) + 1 :]
    if path.startswith(f"{CODES}/"):
        return f"codes/{posixpath.basename(path)}"
    # What begins with a dot is no page.
    shown_as = re.sub(r"(^|/)\.", r"\1", path)
    return next((page for page, name in PROJECT.items() if name == path), f"files/{shown_as}.md")


def shown(path):
    if (ROOT / path).is_dir():
        names = sorted(p.name + "/" * p.is_dir() for p in (ROOT / path).iterdir())
        return f"# {posixpath.basename(path)}\n\n`{path}/`\n\n" + "".join(f"- `{name}`\n" for name in names)
    text = (ROOT / path).read_text("utf-8").rstrip("\n")
    language = LANGUAGES.get(path.rpartition(".")[2], "text")
    return f"# {posixpath.basename(path)}\n\n`{path}`\n\n````{language}\n{text}\n````\n"


def list_of_codes(pages):
    lines = ["# Codes", "", "What a refusal is called, what it means, and what to do about it.", "", "| code | what it is |", "|---|---|"]
    for code in codes():
        first = pages[f"codes/{code}.md"].split("\n\n")[1].replace("\n", " ")
        lines.append(f"| [`{code}`]({code}.md) | {first} |")
    return "\n".join(lines) + "\n"


# ── The commands ──


def program():
    named = os.environ.get("PATCHGATE")
    found = [Path(named)] if named else [ROOT / "target" / kind / "patchgate" for kind in ("release", "debug")]
    for path in found:
        if path.is_file():
            return path
    raise PluginError(f"no program at {found[0]}: build it, or set PATCHGATE to where it is")


def told(*words):
    """What the program prints, which is called `patchgate` whatever its file is."""
    # What the environment sets would be shown as a default.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PATCHGATE_")} | {"NO_COLOR": "1"}
    done = subprocess.run(
        ["patchgate", *words], executable=program(), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        raise PluginError(f"`patchgate {' '.join(words)}` exits with {done.returncode}: {done.stderr}")
    return done.stdout


def commands():
    lines = [
        "# Commands",
        "",
        f"As `{told('--version').strip()}` tells them. What each exit code means is in the "
        "[README](../project/readme.md#the-other-commands).",
        "",
    ]

    def walk(words, depth):
        help_ = told(*words, "--help")
        before, _, rest = help_.partition("Usage: ")
        usage, _, rest = rest.partition("\n\n")
        beneath = []
        sections = re.split(r"^(\S[^\n]*):\n", rest, flags=re.M)
        if words:
            lines.extend([f"{'#' * depth} patchgate {' '.join(words)}", "", plain(before.strip()), ""])
            lines.extend(["```text", usage, "```", ""])
        for title, body in zip(sections[1::2], sections[2::2]):
            if title == "Commands":
                beneath = [w for w in re.findall(r"^  (\w\S*)", body, re.M) if w != "help"]
            elif words:
                lines.extend(entries(body))
        for word in beneath:
            walk([*words, word], depth + 1 if words else 2)

    walk([], 1)
    return "\n".join(lines)


def entries(body):
    """Options and arguments as a list of definitions; what every command has is left out."""
    out = []
    for entry in re.split(r"^(?= {2,6}[-<\[])", body, flags=re.M):
        name, _, text = entry.strip().partition("\n")
        short = re.match(r"(.+?) {2,}(.*)", name)
        if short:
            name, text = short[1], f"{short[2]}\n{text}"
        if not name or name.startswith(("-h, --help", "-V, --version")):
            continue
        paragraphs = [re.sub(r"\n +", "\n", p.strip()) for p in re.split(r"\n\s*\n", text)]
        out.extend([f"`{name}`", ""])
        for number, paragraph in enumerate(p for p in paragraphs if p):
            bracket = re.findall(r"^\[([a-z ]+): ?(.*)\]$", paragraph, re.M)
            if bracket:
                values = {"default": "Default", "possible values": "Values", "env": "Variable"}
                paragraph = ". ".join(
                    f"{values.get(k, k)}: {', '.join(f'`{one}`' for one in v.rstrip('=').split(', '))}"
                    for k, v in bracket
                    if v not in ("", '""')
                )
                if not paragraph:
                    continue
            else:
                paragraph = plain(re.sub(r"^- (\S+): +", r"- `\1`: ", paragraph, flags=re.M).replace(":\n- ", ":\n\n- "))
            out.append((":   " if number == 0 else "    ") + paragraph.replace("\n", "\n    "))
            out.append("")
    return out


def plain(text):
    """Text that Markdown leaves as it is, but for what stands in backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*_\[\]|])", r"\\\1", html.escape(part, quote=False)) for part in parts[::2]]
    return "`".join(parts)


# ── The file formats ──


def file_format(kind, title, schema):
    lines = [
        f"# {title}",
        "",
        f"{cell(schema.get('description', ''))} Every key, as `patchgate schema {kind}` tells it; "
        "`a.b` is the key `b` within `a`, `a[]` an element of a list, `a.*` a member whose name you choose. "
        "[Configuration](../configuration.md) tells how they work together.",
        "",
    ]

    def resolve(node):
        if not isinstance(node, dict):
            return {}
        if "$ref" in node:
            target = schema
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            return {**resolve(target), **{k: v for k, v in node.items() if k != "$ref"}}
        branches = [b for b in node.get("anyOf", node.get("oneOf", [])) if b.get("type") != "null"]
        if len(branches) == 1 and "const" not in branches[0]:
            return {**resolve(branches[0]), **{k: v for k, v in node.items() if k not in ("anyOf", "oneOf")}}
        return node

    def rows(key, node, required, above):
        node = resolve(node)
        yield key, type_of(node), required, node
        yield from beneath(key, node, above)

    def beneath(key, node, above):
        mark = id(node.get("properties", node))
        if mark in above or len(above) > 12:
            return
        above = above | {mark}
        for branch in node.get("anyOf", node.get("oneOf", [])):
            branch = resolve(branch)
            if "properties" in branch or "items" in branch:
                yield from beneath(key, branch, above)
        for name, child in sorted(node.get("properties", {}).items()):
            at = f"{key}.{name}" if key else name
            yield from rows(at, child, name in node.get("required", []), above)
        if isinstance(node.get("items"), dict):
            item = resolve(node["items"])
            yield from beneath(f"{key}[]", item, above)
        if isinstance(node.get("additionalProperties"), dict):
            child = resolve(node["additionalProperties"])
            yield from beneath(f"{key}.*", child, above)

    def type_of(node):
        if "const" in node:
            return f"`{node['const']}`"
        if "enum" in node:
            return ", ".join(f"`{value}`" for value in node["enum"])
        branches = node.get("anyOf", node.get("oneOf"))
        if branches:
            branches = [resolve(branch) for branch in branches]
            kinds = dict.fromkeys(type_of(branch) for branch in branches if branch.get("type") != "null")
            return ", ".join(kinds)
        kinds = node.get("type", "any")
        kinds = [k for k in ([kinds] if isinstance(kinds, str) else kinds) if k != "null"]
        names = {"object": "section", "integer": "whole number", "boolean": "`true`, `false`", "string": "text", "any": "any JSON"}
        if kinds == ["array"]:
            item = type_of(resolve(node.get("items", {})))
            return "list of sections" if item == "section" else f"list of {item}"
        if kinds == ["object"] and isinstance(node.get("additionalProperties"), dict):
            inner = type_of(resolve(node["additionalProperties"]))
            return "map" if inner == "section" else f"map of {inner}"
        return ", ".join(names.get(k, k) for k in kinds)

    def bounds(node):
        words = {"minimum": "at least", "maximum": "at most", "minItems": "items at least", "maxItems": "items at most", "pattern": "pattern"}
        def shown_as(value):
            # Nothing of a pattern is Markdown, or the end of a cell.
            return f"<code>{''.join(c if c.isalnum() else f'&#{ord(c)};' for c in str(value))}</code>"

        found = [f"{word} {shown_as(node[name])}" for name, word in words.items() if name in node and node[name] not in (0, "")]
        return f" ({', '.join(found)})" if found else ""

    def values(node):
        branches = [b for b in node.get("oneOf", node.get("anyOf", [])) if "const" in b and b.get("description")]
        return "".join(f"<br>`{b['const']}`: {cell(b['description'])}" for b in branches) if len(branches) > 1 else ""

    found = [row for row in rows("", schema, False, frozenset()) if row[0]]
    top = [re.match(r"[^.\[]+", row[0])[0] for row in found]
    # What stands alone comes first, in one table.
    known = defaults(title)
    sections = {"At the top": [row for row, name in zip(found, top) if top.count(name) == 1]}
    for row, name in zip(found, top):
        if top.count(name) > 1:
            sections.setdefault(name, []).append(row)
    for section, keys in sections.items():
        lines.extend(["", f"## {section}", "", "| key | type | default | meaning |", "|---|---|---|---|"])
        for key, type_, required, node in keys:
            default = "required" if required else known.get(key, "—")
            if default == "—" and isinstance(node.get("default"), (str, int, float)):
                default = f"`{json.dumps(node['default'], ensure_ascii=False)}`"
            cells = [f"`{key}`", type_ + bounds(node), default]
            lines.append(f"| {' | '.join(cells)} | {cell(node.get('description', ''))}{values(node)} |")
    return "\n".join(lines) + "\n"


def defaults(title):
    """What holds where a key is left out, as docs/configuration.md says, which a test holds to what is so."""
    text = (ROOT / DOCS / "configuration.md").read_text("utf-8")

    def beneath(heading):
        section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `([^`]+)` \| (?:\\\||[^|])* \| ([^|]+) \|", section, re.M)
        return {key: default.strip() for key, default in rows}

    # A policy may have cases of its own.
    return beneath(KINDS["cases"]) | beneath(title)


def cell(text):
    return plain(text.strip()).replace("\\|", "&#124;").replace("\n\n", "<br>").replace("\n", " ")


# ── Pictures ──

GRAPH = "concepts/referrals.svg"


def drawn(markdown):
    """The graph as a picture of our own: what draws Mermaid would have to be loaded from elsewhere."""
    return re.sub(r"```mermaid\n.*?\n```", f"![The states of a referral and the steps between them]({GRAPH})", markdown, flags=re.S)
