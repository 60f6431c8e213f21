#!/usr/bin/env python3
"""Puts the program that `PATCHGATE` names under the loads that it is for, so that it counts what it runs; see deploy/build."""
import os, sys

from cases import REFUSED, SAMPLE, STEP, of_size
from machine import Load, end_all
from programs import API, API_TLS, api, patchgate, roomy, start

SECONDS = 2
# How the program is started, and what it is asked then.
TRAINED = [
    ({}, [Load(SAMPLE), Load(SAMPLE, connections=1), Load(REFUSED, status_ok=False), Load(of_size(65536)), Load(of_size(4096)),
          Load(STEP), Load(method="GET")]),
    ({"tls_up": True}, [Load(SAMPLE), Load(STEP)]),
    ({"tls_up": True, "tls": True}, [Load(SAMPLE, scheme="https"), Load(REFUSED, scheme="https", status_ok=False)]),
    ({"tls": True}, [Load(SAMPLE, scheme="https", h2=True)]),
]


def main():
    api(API, False)
    api(API_TLS, True)
    for how, loads in TRAINED:
        program = start("trained", patchgate(policy=roomy(), **how))
        requests = sum(load.run(program.port, SECONDS)["requests"] for load in loads)
        # It writes its counts when it has ended.
        program.end()
        if program.process.returncode != 0:
            sys.exit(f"{os.environ['PATCHGATE']} ended with {program.process.returncode}")
        print(f"{requests:,} requests", file=sys.stderr)


try:
    main()
finally:
    end_all()
