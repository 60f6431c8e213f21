"""What is compared: the kinds of requests, and the programs that are put to each."""
import json

import programs
from machine import OTHERS, PROXY, WORK, Load
from programs import patchgate, plain_nginx, start

SAMPLE = """[
    {
        "op": "replace",
        "path": "/details/dealValue",
        "value": "10000"
    },
    {
        "op": "add",
        "path": "/team/-",
        "value": {
            "email": "jane.doe@contoso.com",
            "firstName": "Jane",
            "lastName": "Doe",
            "phoneNumber": "0000000001"
        }
    }
]
"""
REFUSED = '[\n    {\n        "op": "remove",\n        "path": "/details/dealValue"\n    }\n]\n'
STEP = '[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Won"}]'


def of_size(most):
    """A patch of so many bytes: members of the team, and notes."""
    ops, size = [], 2
    while True:
        index = len(ops)
        op = {"op": "replace", "path": "/details/notes", "value": f"Lorem ipsum dolor sit amet, note {index}."} if index % 2 else \
            {"op": "add", "path": "/team/-", "value": {"email": f"user{index}@contoso.com", "firstName": "Jane",
                                                       "lastName": f"Doe{index}", "phoneNumber": f"{index:010d}"}}
        size += len(json.dumps(op)) + 2
        if size > most:
            return json.dumps(ops)
        ops.append(op)


class Case:
    """Programs by name, each with how it is started and what it is sent; ratios are to the first."""

    def __init__(self, what, entries):
        self.what, self.entries = what, entries


def same(load, entries):
    return [(name, start_it, load) for name, start_it in entries]


def cases(names):
    """Those of these names, made when they are needed: each writes files."""
    sample, large = Load(SAMPLE), of_size(65536)
    refused = lambda: Load(REFUSED, status_ok=False)
    everybody = [("nginx", plain_nginx), ("patchgate", patchgate), ("nginx + Lua checks", programs.nginx_lua),
                 ("haproxy", programs.haproxy), ("haproxy + JSON check", programs.haproxy_json),
                 ("Envoy", programs.envoy), ("Envoy + body, limit, id", lambda: programs.envoy("envoy-checks", programs.BUFFERED)),
                 ("fastify + ajv", programs.fastify)]
    two = everybody[:2]
    known = {
        "forward": lambda: Case("sample 1, 64 connections", same(sample, everybody)),
        "latency": lambda: Case("sample 1, one connection", same(Load(SAMPLE, connections=1), two)),
        "refuse": lambda: Case("a patch that is refused; nginx forwards it", [
            ("nginx", plain_nginx, Load(REFUSED)), ("patchgate", patchgate, refused()),
            ("nginx + Lua checks", programs.nginx_lua, refused())]),
        "large": lambda: Case("a patch of 64 KiB, 64 connections",
                              same(Load(large), [("nginx", plain_nginx), ("patchgate", lambda: patchgate(policy=programs.roomy())),
                                                 ("nginx + Lua checks", programs.nginx_lua)])),
        "tls": lambda: Case("the API over TLS", same(sample, [
            ("nginx", lambda: plain_nginx(tls_up=True)), ("patchgate", lambda: patchgate(tls_up=True))])),
        "tls-both": lambda: Case("TLS on both sides", same(Load(SAMPLE, scheme="https"), [
            ("nginx", lambda: plain_nginx(tls_up=True, tls=True)), ("patchgate", lambda: patchgate(tls_up=True, tls=True))])),
        "h2": lambda: Case("callers over HTTP/2 and TLS", same(Load(SAMPLE, scheme="https", h2=True), [
            ("nginx", lambda: plain_nginx(tls=True, h2=True)), ("patchgate", lambda: patchgate(tls=True))])),
        "state": lambda: Case("a step between states", [
            ("nginx", plain_nginx, sample), ("patchgate: a PATCH", patchgate, sample),
            ("patchgate: a GET", patchgate, Load(method="GET")),
            ("patchgate: a step; the state is fetched", patchgate, Load(STEP, ids=1000))]),
        "cores": lambda: Case("one worker on a core of its own; two, on both cores, which they share with callers and API", same(sample, [
            ("patchgate, one worker", patchgate), ("patchgate, two workers", lambda: on_both(patchgate(workers=2))),
            ("nginx, two workers", lambda: on_both(plain_nginx(workers=2)))])),
        "parts": lambda: Case("what its parts cost", [
            ("nginx", plain_nginx, sample), ("patchgate", patchgate, sample),
            ("patchgate: no access log", lambda: patchgate(log=False), sample),
            ("patchgate: a GET", patchgate, Load(method="GET")),
            ("nginx: a GET", plain_nginx, Load(method="GET"))]),
    }
    return {name: known[name]() for name in names or known}


def on_both(described):
    argv, at, _ = described
    return argv, at, f"{OTHERS},{PROXY}"
