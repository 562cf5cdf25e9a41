"""Small stores, and what must hold of them."""

import json
from dataclasses import replace

from verify.case import Case
from verify.store import VerdictStore
from verify.verdict import Status, Verdict

PROVENANCE = {"time": "2026-01-02T03:04:05+00:00", "commit": "abc", "versions": {"python": "3.11"}, "seed": 7}
FINGERPRINT = "what verdicts depend on"
CASE = Case("ours", "legt", 4, level="scan", dt=0.5, parameters=(("theta", "1"),))


def key(index, suite="quick", seed=7):
    return f"{replace(CASE, order=index + 1).id}:{suite}:{seed}"


def verdict(index, number=0, **changes):
    values = {
        "measured": index + number / 8,
        "bound": 100.0,
        "bound_source": "a lemma",
        "compared": 3 + number,
        "worst": {"what": f"state {number}", "index": [number]},
        "details": {"order": number, "errors": [0.5, 0.25]},
        "seconds": 0.125,
        **changes,
    }
    return Verdict(f"check-{number}", "the claim", replace(CASE, order=index + 1), Status.PASS, **values)


def unit(index):
    """The verdicts of a unit: one, two, three or none."""
    return [verdict(index, number) for number in range((index + 1) % 4)]


def opened(folder, fingerprint=FINGERPRINT, **options):
    return VerdictStore(folder, PROVENANCE, fingerprint, **options)


def written(folder, order, *, units=None, end=True):
    """A store of a plan of so many units, finished in that order."""
    with opened(folder) as store:
        for index in order:
            store.add(index, key(index), unit(index))
        store.sync()
        if end:
            store.end(map(key, range(len(order) if units is None else units)), ["said at the end"])
    return folder / "verdicts.jsonl"


def gone_on_with(folder, units):
    """Go on with a stopped campaign to its end; gives the keys that were there already, and what the store remarked."""
    with opened(folder) as store:
        there = {key(index) for index in range(units) if key(index) in store.finished}
        assert len(store.finished) == len(there)
        for index in range(units):
            if key(index) in there:
                assert store.verdicts(key(index)) == unit(index)
            else:
                store.add(index, key(index), unit(index))
                store.sync()
        store.end(map(key, range(units)), ["said at the end"])
    return there, store.remarks


def ends(content):
    """Key of each unit -> how many bytes there must be for it to be whole."""
    found, length = {}, 0
    for line in content.splitlines(keepends=True):
        length += len(line)
        record = json.loads(line)
        if record["kind"] == "unit":
            found[record["key"]] = length
    return found
