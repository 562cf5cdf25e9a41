"""Readers of a store: whole units in the order of the plan, streaming, and a sentence about everything else."""

import gc
import json
import os
import re
import tracemalloc
from pathlib import Path

import pytest
from store_scale import measured
from store_tools import PROVENANCE, key, opened, unit, verdict, written

from verify.blocks import FILE, DamagedError
from verify.stored import open_store

UNITS = 6
SHUFFLED = [3, 0, 5, 1, 4, 2]
ALL = [each for index in range(UNITS) for each in unit(index)]


@pytest.mark.parametrize("end", [True, False], ids=["finished", "stopped"])
def test_verdicts_come_in_the_order_of_the_plan_any_number_of_times(tmp_path, end):
    file = written(tmp_path, SHUFFLED, end=end)
    lines = file.read_bytes().splitlines()
    for found in (open_store(tmp_path), open_store(file)):
        assert (found.path, found.units, len(found)) == (file, UNITS, len(ALL))
        assert (found.finished, found.torn) == (end, False)
        assert found.notes == (("said at the end",) if end else ())
        assert {k: v for k, v in found.provenance.items() if k != "schema"} == PROVENANCE
        for _ in range(2):
            assert [each.verdict for each in found] == ALL
        assert {(each.suite, each.seed) for each in found} == {("quick", 7)}
        for each in found:
            assert json.loads(lines[each.line - 1]) == {"kind": "verdict", **each.verdict.to_json()}
        together = list(zip(found, found, strict=True))
        assert [first for first, _ in together] == [second for _, second in together] == list(found)


def test_what_is_not_whole_does_not_count(tmp_path):
    file = written(tmp_path, SHUFFLED, end=False)
    content = file.read_bytes()
    last = content.rindex(b'{"kind": "unit"')  # all verdicts of the last unit are there, but not that they are all
    for length in (last, last + 9, len(content) - 1):
        file.write_bytes(content[:length])
        found = open_store(tmp_path)
        assert (found.units, found.torn, found.finished) == (UNITS - 1, True, False)
        assert [each.verdict for each in found] == [v for i in range(UNITS) if i != SHUFFLED[-1] for v in unit(i)]


def test_a_reader_keeps_what_it_opened_while_the_campaign_goes_on_and_ends(tmp_path):
    with opened(tmp_path) as store:
        store.add(1, key(1), unit(1))
        early = open_store(tmp_path)
        store.add(0, key(0), unit(0))
        assert [each.verdict for each in early] == unit(1)
        late = open_store(tmp_path)
        store.end([key(0), key(1)], [])
        assert [each.verdict for each in early] == unit(1)
        assert [each.verdict for each in late] == unit(0) + unit(1)
        assert not late.finished


def test_a_file_that_is_changed_while_it_is_read_gives_no_verdict(tmp_path):
    file = written(tmp_path, [1, 0])
    found = open_store(tmp_path)
    content = file.read_bytes()
    with file.open("r+b") as same:
        same.seek(content.index(b'"measured": 1.0'))
        same.write(b'"measured": 2.0')
    read = iter(found)
    assert next(read).verdict == unit(0)[0]
    with pytest.raises(DamagedError, match=r"changed while it was read: the \d+ bytes from byte \d+ on"):
        next(read)


@pytest.mark.parametrize("kind", ["changed", "missing", "twice", "foreign"])
def test_what_is_damaged_is_refused(tmp_path, kind):
    file = written(tmp_path, range(UNITS))
    lines = file.read_bytes().splitlines(keepends=True)
    other = {
        "changed": [*lines[:3], lines[3].replace(b"1", b"2", 1), *lines[4:]],
        "missing": [*lines[:3], *lines[4:]],
        "twice": [*lines[:3], *lines[1:]],
        "foreign": [*lines[:3], b"what is this\n", *lines[3:]],
    }[kind]
    file.write_bytes(b"".join(other))
    with pytest.raises(DamagedError, match=rf"^line \d of {file} .*: this is not what was written; `truncate -s \d+ "):
        open_store(tmp_path)


def test_what_an_earlier_version_wrote_is_read(tmp_path):
    """Without digests, without places in the plan; the verdicts of a unit that was not finished count there."""
    file = written(tmp_path, range(UNITS))
    old = re.sub(rb', "(digest|index|verdicts|units)": ("\w+"|\d+)(?=[,}])', b"", file.read_bytes())
    assert b"digest" not in old
    file.write_bytes(old)
    found = open_store(tmp_path)
    assert [each.verdict for each in found] == ALL
    assert (found.finished, found.units) == (True, UNITS)
    assert {(each.suite, each.seed) for each in found} == {("quick", 7)}
    file.write_bytes(old[: old.index(b'{"kind": "unit"')] + b'{"kind": "verd')
    found = open_store(tmp_path)
    assert [(each.verdict, each.suite, each.seed) for each in found] == [(unit(0)[0], "", 7)]
    assert (found.finished, found.torn, found.units) == (False, True, 0)


def test_a_line_of_an_earlier_version_that_is_no_verdict_is_named(tmp_path):
    first = json.dumps({"kind": "provenance", "schema": "hippo-verify/1"})
    record = {"kind": "verdict", **verdict(0).to_json(), "compared": "many"}
    (tmp_path / FILE).write_text(f"{first}\n{json.dumps(record)}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^line 2 of .* is no verdict \(TypeError: .*'str' and 'int'"):
        list(open_store(tmp_path))


def test_what_cannot_be_opened_is_said(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=rf"^no store at {tmp_path / FILE}; expected the verdicts\.jsonl that"):
        open_store(tmp_path)
    written(tmp_path, [0])

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(OSError, match=rf"^cannot read {tmp_path / FILE}: Permission denied; expected the verdicts"):
        open_store(tmp_path)


def test_nothing_is_left_open(tmp_path):
    written(tmp_path, range(UNITS))
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        assert len(list(open_store(tmp_path))) == len(ALL)
    broken = tmp_path / "broken"
    broken.write_bytes(b"hello\n")
    for _ in range(20):
        with pytest.raises(ValueError, match="is not a line of kind provenance"):
            open_store(broken)
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_verdicts_are_not_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    large = verdict(0, details={"said": "x" * 10_000})
    with opened(tmp_path) as store:
        for number in range(500):
            store.add(number, f"{number}", [large])
    tracemalloc.start()
    try:
        found = open_store(tmp_path)
        assert sum(1 for _ in found) == 500
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 500 * 10_000 / 10


@pytest.mark.slow
@pytest.mark.parametrize(("units", "each"), [(50_000, 20), (1_000_000, 1)])
def test_memory_stays_flat_at_a_million_verdicts(tmp_path, units, each):
    """Beside some hundred bytes for every unit, a store of any size is worked on in the same memory."""
    took = measured(tmp_path, units, each)
    for step in ("write", "go on", "read"):
        assert took[step]["megabytes"] < took["nothing"]["megabytes"] + 30 + units * 150 / 2**20
    assert took["frame"]["megabytes"] < took["nothing"]["megabytes"] + 1000
