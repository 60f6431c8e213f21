"""Types the commands of documents as somebody does who reads them from the top, each document in a new terminal.

A block of `sh` is typed line by line, or pasted as a whole where it is a script. What serves goes on until its document
ends. Then the commands within the text have their turn: their options have to be there, and where FILE or its like stands
in them they are typed with something real in its place.
With BUILT in the environment nothing is built: `patchgate` is there already."""
import os, re, signal, subprocess, sys, time

HERE = os.getcwd()
BUILT = bool(os.environ.get("BUILT"))

# Where (a document, or all), what, and why it is not typed.
LEFT_OUT = (
    ("", r"^bash tests/run$", "it runs everything else, for minutes"),
    ("containers.md", r"^docker |127\.0\.0\.1:8080", "it takes Docker, and images from elsewhere"),
    ("kubernetes.md", r"^(kubectl|helm) ", "it takes a cluster"),
    # tests/deploy/debian/service.steps does so with systemd, and tests/deploy/kubernetes.rs what can be done without a cluster.
    ("packages.md", r"systemctl|^patchgate healthcheck && ", "it takes systemd as the first process"),
) + ((("", r"^cargo build ", "it is built already"),) if BUILT else ())

# What a document says that its reader has.
THERE = {
    "configuration.md": "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=api.example "
    "-keyout key.pem -out cert.pem",
}

# In the place of what the reader is to put there, in commands within the text.
STRICTER = "config/examples/stricter"
STANDS_FOR = {
    "CODE": "op-forbidden", "FILE": "config/patchgate.yaml", "FILE…": "config/patchgate.yaml", "KIND": "policy",
    "OLD": f"{STRICTER}/before.yaml", "NEW": f"{STRICTER}/after.yaml", "POLICY": f"{STRICTER}/before.yaml",
    "PATCH": "patch.json", "SHELL": "bash", "[PATH…]": "config/examples/orders",
}
GOES_ON = ("run", "demo", "sandbox", "top")
ASKS = ("status", "reload", "drain", "healthcheck", "top")

failed, left_out, serving, done = [], {}, [], 0


def parts(path):
    """The blocks of commands, and the commands within the text."""
    text = open(path).read()
    fence = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
    blocks = [(kind, block) for kind, block in fence.findall(text) if kind in ("sh", "console")]
    within = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", fence.sub("", text)))
    within = [span for span in dict.fromkeys(within) if span.startswith("patchgate ")]
    linked = [os.path.join(os.path.dirname(path), to) for to in re.findall(r"\]\(([^)#:]+)\)", text)]
    linked = [open(to).read() for to in linked if os.path.isfile(to) and not to.endswith((".md", ".png"))]
    # A block that quotes a file is there to be read.
    return [block for block in blocks if not any(block[1] in file for file in linked)], within


def commands(kind, text):
    """Each with the lines that it is shown to print."""
    script = r"<<|&$|^\s|^\w+=|^(for|if|while|until|case) |^\w+\(\) \{"
    joined = text.replace("\\\n", " ")
    if kind == "console":
        sessions = (session.split("\n", 1) for session in f"\n{joined}".split("\n$ ")[1:])
        return [(command, shown.splitlines()) for command, shown in sessions]
    if re.search(script, joined, re.M):
        return [(text.rstrip(), [])]
    return [(re.sub(r"\s+#.*", "", line), []) for line in joined.splitlines() if line.strip()]


def missing(shown, said):
    """The first line that is shown and was not printed, or not after those before it. `…` is anything."""
    printed = iter(said.splitlines())
    for line in (line for line in shown if line != "…"):
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("…")))
        if not any(pattern.fullmatch(said) for said in printed):
            return line
    return None


def serves(command):
    words = command.split()
    ends = "\n" in command or "--once" in words or "--help" in words
    return not ends and bool(re.search(r"^(cargo run .*-- |patchgate )(run|demo|sandbox)( |$)", command))


def start(command, where):
    log = open("/tmp/served.log", "w+")
    options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": where, "start_new_session": True}
    process = subprocess.Popen(["bash", "-c", f"exec {command}"], **options)
    serving.append(process)
    for _ in range(15000):
        time.sleep(0.1)
        told = open(log.name).read()
        if process.poll() is not None or '"serving"' in told or "curl -i" in told:
            break
    time.sleep(1)
    if process.poll() is not None:
        failed.append((command, told[-1500:]))
    elif re.search(r"\bdemo\b", command):
        stop(process)


def stop(process):
    for by in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, by)
            process.wait(30)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def type_in(command, where, shown=()):
    """Gives the folder in which the terminal is afterwards."""
    # A judgement is an answer: 1 is refused, not ready, or different.
    trap = r"""answers='^(patchgate|cargo run|config/examples/)'
trap 'is=$?; [[ $is = 1 && $BASH_COMMAND =~ $answers ]] || echo "$is: $BASH_COMMAND" >>/tmp/wrong' ERR
trap 'pwd >/tmp/where' EXIT
"""
    for file in ("/tmp/wrong", "/tmp/where"):
        if os.path.exists(file):
            os.remove(file)
    # Into a file, as what goes on in the background would keep a pipe open.
    log = open("/tmp/said.log", "w+")
    options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": where, "start_new_session": True}
    process = subprocess.Popen(["bash", "-Ec", trap + command], **options)
    serving.append(process)
    try:
        wrong = "" if process.wait(1500) < 2 else f"{process.returncode}\n"
    except subprocess.TimeoutExpired:
        wrong = "it does not end\n"
    said = open(log.name).read()
    print("\n".join(said.splitlines()[-6:]), flush=True)
    wrong += open("/tmp/wrong").read() if os.path.exists("/tmp/wrong") else ""
    if (line := missing(shown, said)) is not None:
        wrong += f"not printed: {line}\n"
    if wrong:
        failed.append((command, wrong + said[-1500:]))
    return open("/tmp/where").read().strip() if os.path.exists("/tmp/where") else where


def why_not(path, command):
    for document, pattern, why in LEFT_OUT:
        if path.endswith(document) and re.search(pattern, command):
            left_out.setdefault(why, []).append(f"{path}: {command}")
            return True
    return False


def follow(path):
    global done
    where = HERE
    blocks, within = parts(path)
    if what := THERE.get(os.path.basename(path)):
        where = type_in(what, where)
    for kind, text in blocks:
        for command, shown in commands(kind, text):
            if why_not(path, command):
                continue
            if BUILT:
                command = re.sub(r"cargo run( --release)? -- ", "patchgate ", command)
            print(f"== {path}: {command}", flush=True)
            done += 1
            if serves(command):
                start(command, where)
            else:
                where = type_in(command, where, shown)
    asked = any(span.split()[1] in ASKS for span in within)
    if asked and all(process.poll() is not None for process in serving):
        start("patchgate run --config config/patchgate.yaml", HERE)
    with open(os.path.join(HERE, "patch.json"), "w") as patch:
        patch.write('[{"op":"add","path":"/note","value":"Ring twice."}]')
    for span in within:
        words = [STANDS_FOR.get(word, word) for word in span.split()]
        done += 1
        print(f"== {path}, in the text: {' '.join(words)}", flush=True)
        named = re.match(r"patchgate( [a-z]+( verify| [a-z]+-schema| openapi)?)?", span)[0]
        help = subprocess.run(["bash", "-c", f"{named} --help"], capture_output=True, text=True)
        for option in re.findall(r"--[a-z-]+", span):
            if not re.search(rf"{option}\b(?!-)", help.stdout):
                failed.append((span, f"{path}: `{named} --help` does not tell of {option}"))
        if help.returncode:
            failed.append((span, help.stderr))
        elif words[1] in ASKS or words != span.split() and not any("…" in word for word in words):
            type_in(" ".join(words + ["--help"] * (words[1] in GOES_ON)), HERE)
    while serving:
        stop(serving.pop())


for path in sys.argv[1:]:
    follow(path)
for why, what in left_out.items():
    print(f"\nLEFT OUT, as {why}")
    for command in what:
        print(f"  {command}")
for command, said in failed:
    print(f"\nFAILED {command}\n{said}")
print(f"\n{done} commands, {len(failed)} failed")
sys.exit(bool(failed))
