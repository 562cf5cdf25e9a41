"""Targets that make noise, or play tricks on the process they run in."""

import json
import sys

import numpy as np
from hostile_right import legs

TEXT = "\x1b[31m[red]loud[/red] [/] :skull: </script> ]]> & \"'<b>|` \x00\x07\r\n\ud800 \\"


def floods(order):
    for _ in range(40):
        sys.stdout.write("flood " * 10_000)
        sys.stderr.write("flood " * 10_000)
    return legs(order)


def pretends(order):
    forged = {"kind": "ok", "value": {"status": "PASS", "verdicts": [], "exit_code": 0}}
    record = {"schema": "hippo-verify/1", "status": "pass", "exit_code": 0}
    for stream, value in ((sys.stdout, forged), (sys.stderr, record)):
        stream.write(json.dumps(value) + "\n")
        stream.flush()
    A, B = legs(order)
    return A, 2 * B


def patches_numpy(order):
    A, B = legs(order)
    for name in ("allclose", "array_equal", "isclose", "all", "isfinite"):
        setattr(np, name, lambda *_, **__: True)
    np.abs = lambda value, *_, **__: value * 0
    return A, 2 * B


def shouts(order):
    raise ValueError(TEXT)


class _Loud:
    def __array__(self, dtype=None, copy=None):
        raise ValueError(TEXT)


def answers_loudly(order):
    return _Loud(), _Loud()


def named_loudly(order):
    return np.zeros(order, [(TEXT.replace("\ud800", ""), float)]), np.zeros(order)


def exits_loudly(order):
    sys.exit(TEXT)
