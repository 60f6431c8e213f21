"""What grows with the size of the policy, and what must not; memory of those who do nothing; how long a start takes."""
import json, re, socket, time, urllib.request

from cases import SAMPLE
from machine import WORK, Load, Program, instructions, measure, quartiles
from programs import POLICY, ROOT, patchgate, start


def with_routes(count):
    """The shipped policy, and so many routes before its own."""
    text = POLICY.read_text().replace("../../schemas/", f"{ROOT}/schemas/")
    more = "".join(f"  - {{ id: more-{index}, methods: [PATCH], path: '/v1.0/more/{index}/{{id}}', resource: referral, body: json-patch, media_types: [application/json] }}\n"
                   for index in range(count))
    path = WORK / f"routes-{count}.yaml"
    path.write_text(text.replace("routes:\n", "routes:\n" + more, 1))
    return path


def with_edges(count):
    """A policy of its own: a field with as many states as it takes for so many steps between them."""
    size = max(2, round(count ** 0.5))
    states = [f"s{index}" for index in range(size)]
    edges = [(a, b) for a in states for b in states][:count]
    schema = WORK / f"edges-{count}.schema.json"
    schema.write_text(json.dumps({"type": "object", "properties": {"status": {"enum": states}}}))
    path = WORK / f"edges-{count}.yaml"
    steps = "".join(f"        - {{ from: [{a}], to: [{b}] }}\n" for a, b in edges)
    path.write_text(
        "apiVersion: patchgate/v1\nkind: Policy\nname: edges\nresources:\n  referral:\n"
        f"    schema: {schema.name}\n    ops: [replace, test]\n    paths:\n      - {{ path: /status }}\n"
        f"    states:\n      fields: [/status]\n      names: [{', '.join(states)}]\n      transitions:\n{steps}"
        "routes:\n  - { id: update, methods: [PATCH], path: '/v1.0/engagements/referrals/{id}', resource: referral,"
        " body: json-patch, media_types: [application/json], state: fetch }\n")
    return path


def with_partners(count):
    partners = "".join(f"  - {{ id: partner-{index}, identities: [p{index}] }}\n" for index in range(count))
    return ("identity: [{ header: X-Partner }]\nunknown_partners: share\n"
            f"partners:\n{partners}" if count else "")


def curves():
    """Instructions for each request, which do not depend on the machine."""
    print("\n### Cost for each request by the size of the policy (instructions in user space)\n\n| what | how many | instructions |\n|---|--:|--:|")
    # It tells the state that it begins with, so that none is read.
    step = Load('[{"op":"test","path":"/status","value":"s0"},{"op":"replace","path":"/status","value":"s1"}]')
    for what, sizes, described, load in [
            ("routes", [1, 100, 1000], lambda size: patchgate(policy=with_routes(size)), Load(SAMPLE)),
            ("partners", [1, 100, 10000], lambda size: patchgate(more=with_partners(size)), Load(SAMPLE)),
            ("steps between states, of a patch that takes one", [4, 100, 1000], lambda size: patchgate(policy=with_edges(size)), step)]:
        for size in sizes:
            argv, at, _ = described(size)
            total, _ = instructions(argv, at, load)
            print(f"| {what} | {size} | {total:,.0f} |", flush=True)


def idle(count=10000):
    """The median of some, for what a process takes up depends on what it found."""
    print("\n### Memory\n\n| what | figure |\n|---|--:|")
    head = " /v1.0/engagements/referrals/c1d7c9d3-6a5c-4b55-a0ea-1f4a7fdc7cda HTTP/1.1\r\nHost: a\r\n"
    patch = f"PATCH{head}Content-Type: application/json\r\nContent-Length: {len(SAMPLE)}\r\n\r\n{SAMPLE}"
    for what, request in [("have asked nothing", ""), ("have sent a patch", patch), ("have asked for a document", f"GET{head}\r\n")]:
        alone, each = zip(*(waiting(count, request.encode()) for _ in range(5)))
        print(f"| idle, RSS | {quartiles(alone)[0] / 1024:.1f} MiB |\n"
              f"| {count} connections that {what} and wait, each | {quartiles(each)[0]:.1f} ± {quartiles(each)[1]:.1f} KiB |", flush=True)


def waiting(count, request):
    """What it takes up alone, and for each of so many connections that send `request`, in KiB."""
    program = start("patchgate", patchgate())
    time.sleep(0.5)
    before = program.memory("Rss")
    sockets = [socket.create_connection(("127.0.0.1", program.port)) for _ in range(count)]
    for each in sockets:
        each.sendall(request)
        _ = request and each.recv(65536)
    time.sleep(0.5)
    after = program.memory("Rss")
    for each in sockets:
        each.close()
    program.end()
    return before, (after - before) / count


def start_and_reload():
    print("\n### Start and reload\n\n| what | ms |\n|---|--:|")
    times = []
    for _ in range(9):
        program = start("patchgate", patchgate())
        times.append(program.ready_after * 1000)
        program.end()
    print(f"| from its start until it answers, with the shipped policy | {quartiles(times)[0]:.0f} |")
    argv, at, core = patchgate(policy=with_routes(1000))
    program = Program("patchgate", argv, at, core)
    admin = re.search(r"admin: \{ listen: 127\.0\.0\.1:(\d+)", open(argv[-1]).read())[1]
    times = []
    for _ in range(7):
        began = time.time()
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{admin}/reload", method="POST")).read()
        times.append((time.time() - began) * 1000)
    print(f"| a reload with 1 000 more routes | {quartiles(times)[0]:.0f} |", flush=True)
    program.end()
