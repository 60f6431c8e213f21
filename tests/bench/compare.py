#!/usr/bin/env python3
"""patchgate beside other proxies, on one machine, over loopback; what is measured and how is in docs/performance.md."""
import argparse, os, sys, time

import curves
import flame
import programs
from cases import REFUSED, SAMPLE, cases, of_size
from machine import Load, end_all, instructions, judged, measure, quartiles, system_calls
from programs import API, API_TLS, patchgate, plain_nginx, start

# A round in which others used more of the machine than this is thrown away.
FOREIGN = 0.05


def compare(case, rounds, seconds):
    """Each program in turn, and the first one before and after each: the ratio is to the mean of the two."""
    running = [(name, start(f"{name}", described()), load) for name, described, load in case.entries]
    base_name, base, base_load = running[0]
    found = {name: [] for name, *_ in running}
    disturbed = 0
    try:
        for name, program, load in running:
            measure(program, load, 1)
        before = measure(base, base_load, seconds)
        for round_ in range(rounds * 3):
            if all(len(figures) >= rounds for figures in found.values()):
                break
            turn = running[1:]
            turn = turn[round_ % max(1, len(turn)):] + turn[:round_ % max(1, len(turn))]
            for name, program, load in turn:
                if len(found[name]) >= rounds:
                    continue
                figures = measure(program, load, seconds)
                after = measure(base, base_load, seconds)
                if max(before["foreign"], figures["foreign"], after["foreign"]) > FOREIGN:
                    disturbed += 1
                else:
                    figures["ratio"] = figures["cpu"] / ((before["cpu"] + after["cpu"]) / 2)
                    figures["rate_ratio"] = figures["rate"] / ((before["rate"] + after["rate"]) / 2)
                    figures["p99_ratio"] = figures["p99"] / max(1, (before["p99"] + after["p99"]) / 2)
                    found[name].append(figures)
                    found[base_name].append({**before, "ratio": 1.0, "rate_ratio": 1.0, "p99_ratio": 1.0})
                before = after
    finally:
        for _, program, _ in running:
            program.end()
    table(case.what, found, rounds, disturbed)


def table(what, found, rounds, disturbed):
    print(f"\n### {what}\n")
    print("| program | requests/s | CPU µs | CPU to the first | ± % | requests/s to it | p50 µs | p99 µs | p99 to it | MiB |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, figures in found.items():
        if len(figures) < rounds:
            print(f"| {name} | disturbed: others used the machine in too many rounds |")
            continue
        middle = {key: quartiles([each[key] for each in figures]) for key in figures[0]}
        ratio, spread = middle["ratio"]
        if ratio == 1.0:
            cpu, half = middle["cpu"]
            spread = half / cpu
        print(f"| {name} | {middle['rate'][0]:,.0f} | {middle['cpu'][0]:.1f} | {ratio:.2f} | {spread * 100:.0f} | "
              f"{middle['rate_ratio'][0]:.2f} | {middle['p50'][0]:,.0f} | {middle['p99'][0]:,.0f} | "
              f"{middle['p99_ratio'][0]:.2f} | {middle['memory'][0]:.0f} |", flush=True)
    if disturbed:
        print(f"\n{disturbed} rounds were thrown away: others used more than {FOREIGN:.0%} of the machine.")


def half_the_rate(rounds, seconds):
    """Latency at a rate that nginx could serve twice."""
    running = [("nginx", start("nginx", plain_nginx())), ("patchgate", start("patchgate", patchgate()))]
    rate = measure(running[0][1], Load(SAMPLE), 3)["rate"] / 2
    load = Load(SAMPLE, rate=rate)
    found = {name: [] for name, _ in running}
    disturbed = 0
    for _ in range(rounds * 3):
        for name, program in running:
            figures = measure(program, load, seconds)
            if figures["foreign"] > FOREIGN:
                disturbed += 1
            elif len(found[name]) < rounds:
                found[name].append({**figures, "ratio": 1.0, "rate_ratio": 1.0, "p99_ratio": 1.0})
        if all(len(figures) >= rounds for figures in found.values()):
            break
    if all(len(figures) >= rounds for figures in found.values()):
        base = quartiles([each["p99"] for each in found["nginx"]])[0]
        cpu = quartiles([each["cpu"] for each in found["nginx"]])[0]
        for figures in found["patchgate"]:
            figures["p99_ratio"] = figures["p99"] / base
            figures["ratio"] = figures["cpu"] / cpu
    for _, program in running:
        program.end()
    table(f"sample 1 at {rate:,.0f} requests/s, half of what nginx can", found, rounds, disturbed)


LOADS = {"sample 1": lambda: Load(SAMPLE), "refused": lambda: Load(REFUSED, status_ok=False),
         # Few at once: those that are under way when the counting ends are counted in part.
         "64 KiB": lambda: Load(of_size(65536), connections=2)}


JUDGED = {"the judge alone, 2 ops": (2, 2000), "the judge alone, 538 ops": (538, 20)}


def count_instructions(top, baseline):
    """Exact, whatever else the machine does."""
    print("\n### Instructions in user space for each request (callgrind)\n\n| program | request | instructions | before |\n|---|---|--:|--:|")
    known = dict(line.rsplit(" ", 1) for line in open(baseline).read().splitlines()) if os.path.exists(baseline) else {}
    worse, lines = [], []

    def counted():
        for what, load in LOADS.items():
            argv, at, _ = patchgate(policy=programs.roomy())
            yield what, *instructions(argv, at, load())
        for what, (ops, times) in JUDGED.items():
            yield what, judged(ops, times), []

    for what, total, functions in counted():
        before = int(known.get(what, 0))
        print(f"| patchgate | {what} | {total:,.0f} | {before or '':,} |" if before else f"| patchgate | {what} | {total:,.0f} | |", flush=True)
        lines.append(f"{what} {total:.0f}")
        if before and total > before * 1.05:
            worse.append(f"{what}: {total:,.0f} instructions, {total / before - 1:+.1%} beside {baseline}")
        for count, function in functions[:top]:
            print(f"    {count:8,.0f}  {function[:140]}")
    if os.environ.get("BASELINE") == "write":
        open(baseline, "w").write("\n".join(lines) + "\n")
    elif worse:
        sys.exit("\n".join(worse) + "\nmend it, or write another baseline with BASELINE=write and say why")


def count_system_calls():
    print("\n### System calls for each request (strace)\n\n| program | request | calls | which |\n|---|---|--:|---|")
    for what, load in [("sample 1, 64 connections", Load(SAMPLE)), ("sample 1, one connection", Load(SAMPLE, connections=1)),
                       ("64 KiB, 64 connections", Load(of_size(65536)))]:
        for name, described in [("nginx", plain_nginx), ("patchgate", lambda: patchgate(policy=programs.roomy()))]:
            program = start(name, described())
            load.run(program.port, 1)
            calls = system_calls(program, load)
            named = ", ".join(f"{call} {count:.2f}" for call, count in sorted(calls.items(), key=lambda each: -each[1]) if count > 0.01)
            print(f"| {name} | {what} | {sum(calls.values()):.2f} | {named} |", flush=True)
            program.end()


def main():
    kinds = ["compare", "rate", "instructions", "calls", "curves", "idle", "start", "flame"]
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("kinds", nargs="*", default=[], help=f"what is measured: {', '.join(kinds)}; all but flame, if nothing is named")
    parser.add_argument("--cases", default="", help="of `compare`: which, with commas between")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of each run")
    parser.add_argument("--top", type=int, default=0, help="of `instructions`: how many functions are listed")
    parser.add_argument("--graph", default="flame.svg", help="of `flame`: where the graph is written")
    asked = parser.parse_args()
    unknown = set(asked.kinds) - set(kinds)
    if unknown:
        parser.error(f"{', '.join(unknown)}: one of {', '.join(kinds)}")
    # The graph needs a program that has its symbols.
    wanted = asked.kinds or kinds[:-1]
    began = time.time()
    try:
        programs.api(API, False)
        programs.api(API_TLS, True)
        if "compare" in wanted:
            for case in cases(asked.cases.split(",") if asked.cases else []).values():
                compare(case, asked.rounds, asked.seconds)
        if "rate" in wanted:
            half_the_rate(asked.rounds, asked.seconds)
        if "instructions" in wanted:
            count_instructions(asked.top, os.path.join(os.path.dirname(__file__), "instructions.txt"))
        if "calls" in wanted:
            count_system_calls()
        if "curves" in wanted:
            curves.curves()
        if "idle" in wanted:
            curves.idle()
        if "start" in wanted:
            curves.start_and_reload()
        if "flame" in wanted:
            flame.flame(asked.graph)
    finally:
        end_all()
    print(f"\n{time.time() - began:.0f} s")


main()
