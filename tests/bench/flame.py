"""Where the time of a request goes: stacks sampled by perf, drawn as a flame graph that stands alone."""
import collections, html, re, subprocess

from cases import SAMPLE
from machine import WORK, Load, measure
from programs import patchgate, roomy, start

WIDTH, ROW, LEAST = 1200, 17, 0.0015
# Whose work it is, by what the name of a function begins with; the first that fits.
OWNERS = [("kernel", "#b8b8b8", r"\[k\]"), ("judge", "#d9822b", r"patchgate::(policy|patch|json|violation)|jsonschema|serde_json|regex"),
          ("telemetry and limits", "#8a6fb3", r"patchgate::(telemetry|limits|audit)|prometheus|governor"),
          ("patchgate, else", "#3f7fbf", r"patchgate"), ("http, httparse, h2", "#5aa86a", r"hyper|http|h2::"),
          ("tokio, mio", "#7fb8a4", r"tokio|mio"), ("libraries, allocator", "#c9b458", r"")]


def flame(path):
    """Writes the graph to `path`. The program needs its symbols."""
    program = start("patchgate", patchgate(policy=roomy()))
    load = Load(SAMPLE)
    load.run(program.port, 1)
    pids, out = ",".join(map(str, program.pids())), WORK / "perf.data"
    recording = subprocess.Popen(["perf", "record", "-q", "-F", "197", "-e", "cpu-clock", "--call-graph", "dwarf,16384",
                                  "-p", pids, "-o", out, "--", "sleep", "10"], stderr=subprocess.DEVNULL)
    measure(program, load, 10)
    recording.wait(60)
    script = subprocess.run(["perf", "script", "-i", out, "-F", "ip,sym", "--no-inline"], capture_output=True, text=True, timeout=900).stdout
    program.end()
    stacks = collections.Counter(filter(None, map(stack, script.split("\n\n"))))
    draw(stacks, path)
    whose = collections.Counter()
    for frames, count in stacks.items():
        whose[owner(frames[-1])[0]] += count
    total = sum(stacks.values())
    print(f"\n### Whose code runs ({total:,} samples; the graph is {path})\n\n| whose | % of the time |\n|---|--:|")
    for name, count in whose.most_common():
        print(f"| {name} | {count / total * 100:.0f} |")


def stack(text):
    """From the outermost function to the one that runs."""
    names = []
    for line in text.splitlines():
        found = re.match(r"\s*([0-9a-f]+) (.*)", line)
        if found and found[2] != "[unknown]":
            names.append(plain(found[2], found[1].startswith("ffff")))
    names.reverse()
    # What is around the worker's loop is the same for all.
    inner = [index for index, name in enumerate(names) if "LocalSet" in name or "run_until" in name]
    return tuple(names[inner[-1] + 1 if inner else 0:])


def plain(name, in_kernel):
    """A name without its hash and its generic arguments."""
    name = re.sub(r"::h[0-9a-f]{16}$", "", name)
    before = None
    while name != before:
        before, name = name, re.sub(r"<([^<>]*)>", lambda each: each[1].split(" as ")[0] if " as " in each[1] or name.startswith(each[0]) else "", name)
    return ("[k] " if in_kernel else "") + name


def owner(name):
    return next(each for each in OWNERS if re.search(each[2], name))


def draw(stacks, path):
    tree = lambda: [0, collections.defaultdict(tree)]
    root, total = tree(), sum(stacks.values())
    for frames, count in stacks.items():
        at = root
        at[0] += count
        for name in frames:
            at = at[1][name]
            at[0] += count
    boxes, deepest = [], 0

    def place(at, x, depth):
        nonlocal deepest
        deepest = max(deepest, depth)
        for name, child in sorted(at[1].items()):
            width = child[0] / total
            if width >= LEAST:
                boxes.append((name, x, width, depth))
                place(child, x, depth + 1)
            x += width

    place(root, 0.0, 0)
    height = (deepest + 1) * ROW + 40
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">',
             "<title>Where the time of a request goes</title>", f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>']
    x = 4
    for name, colour, _ in OWNERS:
        lines.append(f'<rect x="{x}" y="6" width="11" height="11" fill="{colour}"/><text x="{x + 15}" y="16">{html.escape(name)}</text>')
        x += 30 + len(name) * 7
    for name, left, width, depth in boxes:
        share, letters = width * 100, int(width * WIDTH / 6.7)
        shown = html.escape(name[-letters:] if len(name) > letters else name) if letters > 3 else ""
        y = height - (depth + 1) * ROW
        lines.append(f'<g><title>{html.escape(name)} {share:.1f} %</title><rect x="{left * WIDTH:.1f}" y="{y}" width="{width * WIDTH:.1f}" '
                     f'height="{ROW - 1}" fill="{owner(name)[1]}"/>' + (f'<text x="{left * WIDTH + 2:.1f}" y="{y + 12}">{shown}</text>' if shown else "") + "</g>")
    open(path, "w").write("\n".join(lines) + "\n</svg>\n")
