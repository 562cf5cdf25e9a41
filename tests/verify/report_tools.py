"""Stores for the tests of the report, and its pages as a browser splits them."""

import base64
import gzip
import json
from dataclasses import replace

from page_tools import Page

from verify.case import Case
from verify.verdict import SCHEMA, Status, Verdict

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- \u2028 ${{7*7}} {{7*7}} 'q' \"w\""
PROVENANCE = {
    "kind": "provenance",
    "schema": SCHEMA,
    "fingerprint": "f",
    "time": "2026-01-02T03:04:05+00:00",
    "versions": {"hippo-verify": "0.1.0", "python": "3.12.1", "numpy": "2.1.0"},
    "commit": "0123456789abcdef",
    "dirty": True,
    "platform": "Linux",
    "cpu": "A CPU",
    "cores": 4,
    "threads": {"OMP_NUM_THREADS": "1"},
    "seed": 7,
}


def passed(case, check="scan", measured=1e-16, bound=1e-15, **fields):
    return Verdict(check, f"the claim of {check}", case, Status.PASS, measured, bound, "a lemma", 12, **fields)


def ended(status, case, message, check="scan", **fields):
    return Verdict(check, f"the claim of {check}", case, status, message=message, **fields)


def every_status():
    """Verdicts with every status, two targets, two measures, both dtypes, zero errors and a hostile message."""
    verdicts = []
    for dtype in ("float64", "float32"):
        for order in (4, 8):
            for measure, parameters, dt in (("legs", (), None), ("legt", (("theta", "0.5"),), 0.0078125)):
                case = Case("ours", measure, order, level="scan", dtype=dtype, dt=dt, parameters=parameters)
                verdicts += [passed(case, measured=0.0 if order == 4 else 1e-16)]
                verdicts += [
                    ended(Status.UNSUPPORTED, replace(case, level="step"), "no single step of this rule", "step")
                ]
    wrong = Case("their's.module:make", "legs", 8, level="scan")
    worst = {
        "what": "state 3",
        "index": [3],
        "got": 1.5,
        "expected": 1.0,
        "input": {"samples": ["0x1.0p+3", "-0x1.0p+1"]},
    }
    cause = [{"defect": "doubled_B", "text": "B is doubled", "evidence": "it equals 2 B", "unexplained": 0.0}]
    details = {"smallest": {"what": "state 0", "got": 2.0, "expected": 1.0}, "diagnosis": cause}
    verdicts += [
        ended(
            Status.FAIL,
            wrong,
            "state 3 is off",
            measured=0.5,
            bound=1e-15,
            bound_source="a lemma",
            worst=worst,
            details=details,
        ),
        ended(Status.ERROR, replace(wrong, order=16), HOSTILE, worst={"kind": "raised", "traceback": HOSTILE}),
        ended(Status.INCONCLUSIVE, replace(wrong, order=4), "rounding alone explains it", measured=3.0, bound=1.0),
        ended(
            Status.EXPECTED_FAIL, wrong, "off [expected: it has another sign; https://example.org/issue/1]", "matrices"
        ),
        Verdict(
            "ode",
            "c",
            wrong,
            Status.UNEXPECTED_PASS,
            0.0,
            1.0,
            "a lemma",
            3,
            message="passes, but was expected to fail: x",
        ),
        passed(
            Case("ours", "legs", 4, level="scan"),
            "convergence",
            details={
                "lengths": [64, 128],
                "errors": [1e-2, 5e-3],
                "rule_errors": [1e-2, 5e-3],
                "nominal_order": 1,
                "order": 1.0,
            },
        ),
    ]
    return verdicts


def lines_of(verdicts, notes=("expected failure matched nothing: target = x",), end=True):
    lines = [json.dumps(PROVENANCE)]
    for verdict in verdicts:
        lines.append(json.dumps({"kind": "verdict", **verdict.to_json()}))
        lines.append(json.dumps({"kind": "unit", "key": f"{verdict.case.id}:quick:7"}))
    return [*lines, json.dumps({"kind": "end", "notes": list(notes)})] if end else lines


def written(folder, lines):
    """A store with these lines, or this text."""
    folder.mkdir(parents=True, exist_ok=True)
    text = lines if isinstance(lines, str) else "".join(f"{line}\n" for line in lines)
    (folder / "verdicts.jsonl").write_text(text, encoding="utf-8")
    return folder


def taken(path):
    """What a script beside a page hands over to it."""
    text = path.read_text(encoding="ascii")
    assert text.startswith("hippoReport.take(")
    name, content = json.loads(f"[{text.removeprefix('hippoReport.take(').removesuffix(');' + chr(10))}]")
    return name, content


def unpacked(text):
    """JSON that was packed."""
    return json.loads(gzip.decompress(base64.b64decode(text)))


class Front(Page):
    """The front page, with what it loads."""

    def __init__(self, path):
        super().__init__(path.read_text(encoding="utf-8"))
        self.assets = json.loads(self.scripts["assets"])
        self._folder = path.parent

    def drawings(self):
        """Every drawing with its pictures."""
        found = {}
        for name, path in self.assets["drawings"].items():
            assert taken(self._folder / path)[0] == name
            pictures = taken(self._folder / path)[1]
            found[name] = [{**picture, "figure": unpacked(picture["figure"])} for picture in pictures]
        return found

    def verdicts(self):
        """The table of all verdicts, column by column."""
        return unpacked(taken(self._folder / self.assets["verdicts"])[1])
