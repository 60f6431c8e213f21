"""Processes on this machine: starting and ending them, what they use, and the load that is put on them."""
import ctypes, json, os, re, shutil, signal, socket, statistics, subprocess, tempfile, time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# The proxy has a core of its own, where there are two; callers and the API share the other one.
PROXY, OTHERS = ("1", "0") if os.cpu_count() > 1 else ("0", "0")
WORK = Path(tempfile.mkdtemp(prefix="patchgate-bench-"))
WORK.chmod(0o755)
started = []
libc = ctypes.CDLL(None)


def before_all_others():
    """Ends with us, and goes before what else the machine does, where that is allowed. Not as a real-time process: of its
    threads, the one that writes a log would have to wait until the one that serves has nothing to do."""
    libc.prctl(1, signal.SIGTERM, 0, 0, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    except OSError:
        pass


class Program:
    """One that runs until it is ended."""

    def __init__(self, name, argv, port, core, env=None):
        self.name, self.port = name, port
        log = open(WORK / f"{name}.out", "ab")
        self.process = subprocess.Popen(["taskset", "-c", core, *map(str, argv)], stdout=log, stderr=log,
                                        cwd=WORK, env={**os.environ, **(env or {})}, start_new_session=True,
                                        preexec_fn=before_all_others)
        started.append(self)
        began = time.time()
        while not listens(port):
            if self.process.poll() is not None or time.time() - began > 60:
                self.end()
                raise RuntimeError(f"{name} does not listen: {(WORK / f'{name}.out').read_text()[-800:]}")
            time.sleep(0.005)
        self.ready_after = time.time() - began

    def pids(self):
        return descendants(self.process.pid)

    def cpu(self):
        """Nanoseconds of all its threads."""
        return sum(filter(None, map(cpu_of, self.pids())))

    def memory(self, what="Pss"):
        """KiB, each page that is shared counted in part."""
        total = 0
        for pid in self.pids():
            for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
                if line.startswith(what + ":"):
                    total += int(line.split()[1])
        return total

    def end(self):
        if self in started:
            started.remove(self)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def end_all():
    for program in list(started):
        program.end()
    shutil.rmtree(WORK, ignore_errors=True)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def read(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def cpu_of(pid):
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            fields = read(f"/proc/{pid}/task/{task}/schedstat").split()
            total += int(fields[0]) if fields else 0
    except OSError:
        return None
    return total


def descendants(pid):
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        stat = read(f"/proc/{name}/stat")
        if stat:
            children.setdefault(int(stat[stat.rindex(")") + 2:].split()[1]), []).append(int(name))
    found, open_ = [], [pid]
    while open_:
        found.append(open_.pop())
        open_ += children.get(found[-1], [])
    return found


class Watch:
    """How much of the machine was used by what is none of ours."""

    def __init__(self):
        self.before, self.began = self.foreign(), time.time()

    def foreign(self):
        ours = set(descendants(os.getpid()))
        for program in started:
            ours.update(program.pids())
        pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
        return {pid: cpu_of(pid) or 0 for pid in pids if pid not in ours}

    def share(self):
        used = sum(max(0, cpu - self.before.get(pid, 0)) for pid, cpu in self.foreign().items())
        return used / 1e9 / (time.time() - self.began) / os.cpu_count()


class Load:
    """Requests of one kind, as many as the program answers."""

    def __init__(self, body=None, method="PATCH", path="/v1.0/engagements/referrals/c1d7c9d3-6a5c-4b55-a0ea-1f4a7fdc7cda",
                 connections=64, scheme="http", status_ok=True, h2=False, rate=None, ids=0):
        self.method, self.path, self.connections = method, path, connections
        self.scheme, self.status_ok, self.h2, self.rate, self.ids = scheme, status_ok, h2, rate, ids
        self.body = None
        if body is not None:
            self.body = WORK / f"body-{abs(hash(body))}"
            self.body.write_text(body)

    def run(self, port, seconds):
        """Figures of one run: requests, seconds, and the latency in µs."""
        url = f"{self.scheme}://127.0.0.1:{port}"
        figures = self.streams(url, seconds) if self.h2 or self.rate else self.wrk(url, seconds)
        failed = figures["broken"] or (figures["status"] and self.status_ok) \
            or (not self.status_ok and figures["status"] < figures["requests"])
        if failed or not figures["requests"]:
            raise RuntimeError(f"not answered as expected: {figures}")
        return figures

    def wrk(self, url, seconds):
        env = {"LOAD_METHOD": self.method, "LOAD_PATH": self.path,
               "LOAD_BODY": str(self.body or ""), "LOAD_IDS": str(self.ids)}
        out = caller(["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "--timeout", "10s",
                      "-s", str(HERE / "peers/load.lua"), url], seconds, env)
        return json.loads(out.strip().splitlines()[-1])

    def streams(self, url, seconds):
        log = WORK / "requests.log"
        log.unlink(missing_ok=True)
        argv = ["h2load", "-c", self.connections, "-D", seconds, f"--log-file={log}",
                "-H", f":method: {self.method}", "-H", "content-type: application/json",
                "-H", "authorization: Bearer eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhIn0.sig"]
        argv += ["-d", self.body] if self.body else []
        argv += ["--h1"] if not self.h2 else ["-m", 4]
        argv += [f"--rps={self.rate / self.connections:.3f}"] if self.rate else []
        caller([*map(str, argv), url + self.path], seconds, {})
        rows = [line.split() for line in log.read_text().splitlines()]
        times = sorted(int(row[2]) for row in rows)
        if not times:
            return {"requests": 0, "us": 1, "p50": 0, "p99": 0, "status": 0, "broken": 0}
        at = lambda share: times[min(len(times) - 1, int(len(times) * share))]
        return {"requests": len(times), "us": seconds * 1_000_000, "p50": at(0.5), "p99": at(0.99),
                "status": sum(not row[1].startswith("2") for row in rows), "broken": 0}


def caller(argv, seconds, env):
    done = subprocess.run(["taskset", "-c", OTHERS, *argv], capture_output=True, text=True, timeout=seconds + 60,
                          env={**os.environ, **env}, preexec_fn=before_all_others)
    if done.returncode:
        raise RuntimeError(f"{argv[0]}: {done.stderr[-500:] or done.stdout[-500:]}")
    return done.stdout


def measure(program, load, seconds):
    """One run: CPU of the program for each request, in µs, and what the callers saw."""
    watch, before = Watch(), program.cpu()
    figures = load.run(program.port, seconds)
    figures["cpu"] = (program.cpu() - before) / 1000 / figures["requests"]
    figures["rate"] = figures["requests"] / figures["us"] * 1e6
    figures["memory"] = program.memory() / 1024
    figures["foreign"] = watch.share()
    return figures


def quartiles(values):
    if len(values) < 2:
        return values[0], 0.0
    low, middle, high = statistics.quantiles(values, n=4)
    return middle, (high - low) / 2


def instructions(argv, port, load, env=None):
    """Instructions in user space for each request, counted by callgrind, and the functions that need most."""
    out = WORK / "callgrind.out"
    program = Program("callgrind", ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}", *argv],
                      port, PROXY, env)
    pid = str(program.process.pid)
    control = lambda *what: subprocess.run(["callgrind_control", *what, pid], capture_output=True, timeout=60, check=True)
    load.run(port, 2)
    control("-i", "on")
    requests = load.run(port, 4)["requests"]
    control("-i", "off")
    control("--dump=end")
    dump = max(WORK.glob("callgrind.out*"), key=lambda path: path.stat().st_mtime)
    total = max(int(line.split()[1]) for line in dump.read_text(errors="replace").splitlines()
                if line.startswith(("summary:", "totals:")))
    listing = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=95", dump], capture_output=True, text=True).stdout
    functions = []
    for line in listing.splitlines():
        found = re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+\S*?:(.*?)(?: \[.*)?$", line)
        if found:
            functions.append((int(found[1].replace(",", "")) / requests, found[2]))
    program.end()
    for path in WORK.glob("callgrind.out*"):
        path.unlink()
    return total / requests, functions


def judged(ops, times):
    """Instructions to read and judge a patch of so many ops: what more of them take, by the benchmark as cargo builds it."""
    built = subprocess.run(["cargo", "bench", "--locked", "--quiet", "--bench", "judge", "--no-run", "--message-format=json"],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout
    # In a fresh folder the gateway itself is built as well.
    found = [found for found in map(json.loads, built.splitlines()) if found.get("executable")]
    program = [each["executable"] for each in found if each["target"]["name"] == "judge"][-1]

    def total(times):
        env = {**os.environ, "JUDGE_OPS": str(ops), "JUDGE_TIMES": str(times)}
        counted = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program], env=env,
                                 capture_output=True, text=True, check=True).stderr
        return int(re.search(r"Collected : (\d+)", counted)[1])

    return (total(2 * times) - total(times)) / times


def system_calls(program, load):
    """System calls for each request, by name."""
    out = WORK / "strace.out"
    tracer = subprocess.Popen(["strace", "-c", "-f", "-o", out, *sum((["-p", str(pid)] for pid in program.pids()), [])],
                              stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    requests = load.run(program.port, 3)["requests"]
    tracer.send_signal(signal.SIGINT)
    tracer.wait(20)
    calls = {}
    for line in out.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] not in ("total", "syscall"):
            calls[fields[-1]] = int(fields[3]) / requests
    return calls
