"""Types the commands of documents, in order. Those that serve go on in the background until the document ends."""
import re, signal, subprocess, sys, time

# It is what runs us, or takes as long as everything else together.
LEFT_OUT = ("bash tests/run",)
SERVES = (" run --config", "-- demo\n", " sandbox")


def blocks(path):
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", open(path).read(), re.S | re.M):
        if kind in ("sh", "console"):
            yield kind, text


def commands(kind, text):
    if kind == "sh":
        return [re.sub(r"\s+#.*", "", line) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


failed, serving, done = [], [], 0
for path in sys.argv[1:]:
    for kind, text in blocks(path):
        for command in commands(kind, text):
            if command in LEFT_OUT:
                continue
            print(f"== {path}: {command}", flush=True)
            done += 1
            if any(word in command + "\n" for word in SERVES):
                log = open("/served.log", "w+")
                process = subprocess.Popen(["bash", "-c", f"exec {command.rstrip(' &')}"], stdout=log, stderr=log)
                serving.append(process)
                for _ in range(15000):
                    time.sleep(0.1)
                    told = open("/served.log").read()
                    if process.poll() is not None or '"serving"' in told or "curl -i" in told:
                        break
                time.sleep(1)
                if process.poll() is not None:
                    failed.append((command, told[-1500:]))
                elif command.endswith("-- demo"):
                    process.send_signal(signal.SIGINT)
                    process.wait(20)
                continue
            ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=1500)
            said = ended.stdout + ended.stderr
            print("\n".join(said.splitlines()[-6:]), flush=True)
            # 1 is an answer: refused, or not ready.
            if ended.returncode not in (0, 1) or "error:" in said and ended.returncode:
                failed.append((command, said[-1500:]))
    for process in serving:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    serving.clear()
for command, said in failed:
    print(f"\nFAILED {command}\n{said}")
print(f"\n{done} commands, {len(failed)} failed")
sys.exit(bool(failed))
