"""The store: nothing that was reported is lost, whatever happens to the process, the disk or the file."""

import errno
import io
import json
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_tools import FINGERPRINT, PROVENANCE, ends, gone_on_with, key, opened, unit, verdict, written

from verify import places
from verify.blocks import FILE, DamagedError, Scan, block, encoded, signed
from verify.folders import BusyError
from verify.places import Places
from verify.store import VerdictStore
from verify.stored import open_store
from verify.verdict import SCHEMA

UNITS = 6
SHUFFLED = [3, 0, 5, 1, 4, 2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished store."""
    return written(tmp_path_factory.mktemp("whole"), range(UNITS)).read_bytes()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A store that was stopped before its end, its units not in the order of the plan."""
    return written(tmp_path_factory.mktemp("stopped"), SHUFFLED, end=False).read_bytes()


@pytest.fixture(scope="module", params=["finished", "stopped"])
def tiny(request):
    """A store with short lines instead of verdicts, for what is tried at each of its bytes."""
    content, digest = signed({"kind": "provenance", "schema": SCHEMA}, "")
    for index in range(4):
        lines = [encoded({"kind": "verdict", "number": number}) for number in range((index + 1) % 3)]
        piece, digest = block(f"unit {index}", index, lines, digest)
        content += piece
    return content + (signed({"kind": "end", "notes": []}, digest)[0] if request.param == "finished" else b"")


@pytest.fixture
def quick(monkeypatch):
    """Without the disk: what is tested is what stands in the file."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


# What is written.


@pytest.mark.parametrize("order", [range(UNITS), SHUFFLED, range(UNITS - 1, -1, -1)], ids=["plan", "shuffled", "last"])
def test_the_finished_file_is_the_same_whatever_the_order_of_completion(tmp_path, whole, order):
    assert written(tmp_path, order).read_bytes() == whole


def test_the_lines_keep_the_fields_of_the_schema(whole):
    records = [json.loads(line) for line in whole.splitlines()]
    assert records[0] == {
        "kind": "provenance", "schema": "hippo-verify/1", "fingerprint": FINGERPRINT, **PROVENANCE,
        "digest": records[0]["digest"],
    }  # fmt: skip
    verdicts = [record for record in records if record["kind"] == "verdict"]
    assert verdicts == [{"kind": "verdict", **each.to_json()} for index in range(UNITS) for each in unit(index)]
    closing = [record for record in records if record["kind"] == "unit"]
    assert [record["index"] for record in closing] == list(range(UNITS))
    assert [record["verdicts"] for record in closing] == [len(unit(index)) for index in range(UNITS)]
    assert records[-1]["notes"] == ["said at the end"]
    assert (records[-1]["units"], records[-1]["verdicts"]) == (UNITS, len(verdicts))


def test_units_of_an_earlier_plan_come_after_those_of_this_one(tmp_path):
    written(tmp_path, [4, 2], end=False)
    with opened(tmp_path) as store:
        store.add(0, key(0), unit(0))
        store.add(1, key(1), unit(1))
        store.end([key(0), key(1)], [])
    assert list(ends((tmp_path / FILE).read_bytes())) == [key(0), key(1), key(2), key(4)]


def test_a_unit_is_recorded_once(tmp_path):
    with opened(tmp_path) as store:
        store.add(0, key(0), unit(0))
        with pytest.raises(ValueError, match=f"unit {key(0)} is in .* already"):
            store.add(0, key(0), unit(0))
        store.add(1, key(1), unit(1))
        assert store.verdicts(key(0)) == unit(0)
        with pytest.raises(KeyError, match=key(2)):
            store.verdicts(key(2))
    with pytest.raises(ValueError, match="is closed; open the store again to go on"):
        store.add(2, key(2), unit(2))


@pytest.mark.parametrize(("order", "said"), [([0, 1], "not finished"), ([0, 0], "named twice")])
def test_the_end_needs_every_unit_of_the_plan_once(tmp_path, order, said):
    written(tmp_path, [0], end=False)
    before = (tmp_path / FILE).read_bytes()
    with opened(tmp_path) as store, pytest.raises(ValueError, match=f"unit .* of the plan is {said}"):
        store.end(map(key, order), [])
    assert (tmp_path / FILE).read_bytes() == before


# What was stopped.


def test_any_beginning_of_a_store_keeps_exactly_the_whole_units(tiny):
    line = tiny.index(b"\n") + 1
    for length in range(line, len(tiny) + 1):
        scan = Scan(io.BytesIO(tiny[:length]), Path(FILE))
        whole = {name: end for name, end in ends(tiny).items() if end <= length}
        assert [block.key for block in scanned(scan)] == list(whole)
        assert scan.finished == (length == len(tiny) and b'"end"' in tiny)
        assert scan.whole == (length if scan.finished else max([line, *whole.values()]))
        assert scan.torn == (scan.whole < length)


@given(data=st.data())
def test_any_beginning_of_a_store_goes_on_to_the_whole(whole, stopped, data):
    content = data.draw(st.sampled_from([whole, stopped]))
    length = data.draw(st.integers(0, len(content) - 1))
    zeros = data.draw(st.sampled_from([0, 0, 1, 700]))  # what a power cut leaves of bytes that were not yet written
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        (Path(folder) / FILE).write_bytes(content[:length] + bytes(zeros))
        there, remarks = gone_on_with(Path(folder), UNITS)
        assert there == {name for name, end in ends(content).items() if end <= length}
        assert (Path(folder) / FILE).read_bytes() == whole
        line = content.index(b"\n") + 1
        kept = 0 if length < line else max([line, *(end for end in ends(content).values() if end <= length)])
        assert [("broke off" in remark) for remark in remarks] == [True] * (length + zeros > kept or length == 0)


@given(st.lists(st.sampled_from(["add", "add", "sync", "stop", "kill", "end"]), max_size=30), st.randoms())
def test_whatever_a_campaign_goes_through_its_file_is_that_of_an_unbroken_one(whole, actions, draw):
    """Stopped and gone on with at will: no unit that was synced is ever missing, none is there twice."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        folder, safe, store, file = Path(name), set(), opened(Path(name)), Path(name) / FILE
        for action in actions:
            left = [index for index in range(UNITS) if key(index) not in store.finished]
            if action == "add" and left:
                index = draw.choice(left)
                store.add(index, key(index), unit(index))
            elif action == "sync":
                store.sync()
                safe = {index for index in range(UNITS) if key(index) in store.finished}
            elif action in ("stop", "kill"):
                store.close()
                if action == "kill":
                    content = file.read_bytes()
                    kept = max([content.index(b"\n") + 1, *(ends(content)[key(index)] for index in safe)])
                    file.write_bytes(content[: draw.randint(kept, len(content))])
                store = opened(folder)
                safe_now = {index for index in range(UNITS) if key(index) in store.finished}
                assert safe <= safe_now
                safe = safe_now
            elif action == "end" and not left:
                store.end(map(key, range(UNITS)), ["said at the end"])
                assert file.read_bytes() == whole
                return
        store.close()
        gone_on_with(folder, UNITS)
        assert file.read_bytes() == whole


# What is damaged.


def scanned(scan):
    scan.begin()
    return list(scan)


def changes(value):
    """Bytes that differ: by a bit, an end of line, and what a disk gives of a lost page."""
    return {*(value ^ 1 << bit for bit in range(8)), 0x0A, 0} - {value}


def test_any_byte_that_is_changed_is_noticed_or_harmless(tiny):
    right = [tiny[found.offset :][: found.length] for found in scanned(Scan(io.BytesIO(tiny), Path(FILE)))]
    messages = []
    for place, value in enumerate(tiny):
        for changed in changes(value):
            broken = tiny[:place] + bytes([changed]) + tiny[place + 1 :]
            scan = Scan(io.BytesIO(broken), Path(FILE))
            try:
                found = [broken[block.offset :][: block.length] for block in scanned(scan)]
            except ValueError as error:
                messages.append(str(error))
            else:  # the end of the last line alone: that unit is not whole
                assert found == right[: len(found)]
                assert scan.torn
                assert not scan.finished
    assert len(messages) > 0.95 * sum(len(changes(value)) for value in tiny)
    known = re.compile(r"line \d+ of verdicts\.jsonl |verdicts\.jsonl has schema ")
    assert [message for message in messages if not known.match(message)] == []


@given(data=st.data())
def test_a_store_with_a_changed_byte_is_refused_or_gone_on_with_rightly(whole, stopped, data):
    content = bytearray(data.draw(st.sampled_from([whole, stopped])))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        (Path(name) / FILE).write_bytes(content)
        try:
            gone_on_with(Path(name), UNITS)
        except ValueError:
            assert (Path(name) / FILE).read_bytes() == content, "what is damaged was changed"
        else:
            assert (Path(name) / FILE).read_bytes() == whole


def damaged(lines):
    """Ways in which a file is not what was written: name -> its lines, and the line that is named."""
    second = [i for i, line in enumerate(lines) if b'"kind": "unit"' in line][1]
    return {
        "a missing verdict": ([lines[0], *lines[2:]], 2),
        "a missing unit": ([*lines[:3], *lines[second + 1 :]], second + 2),
        "two units for one": (lines[: second + 1] + lines[1:], second + 3),
        "units in another order": ([lines[0], *lines[3 : second + 1], *lines[1:3], *lines[second + 1 :]], 4),
        "another first line": ([lines[0].replace(b'"seed": 7', b'"seed": 8'), *lines[1:]], 1),
        "a changed verdict": ([lines[0], lines[1].replace(b'"PASS"', b'"FAIL"'), *lines[2:]], 3),
        "something else between": ([*lines[:3], b"hello\n", *lines[3:]], 4),
        "a blank line": ([*lines[:3], b"\n", *lines[3:]], 4),
        "zeros between": ([*lines[:3], bytes(99), *lines[3:]], 4),
        "another kind": ([*lines[:3], b'{"kind": "tea"}\n', *lines[3:]], 4),
        "no digest": ([*lines[:2], lines[2][: lines[2].index(b', "digest"')] + b"}\n", *lines[3:]], 3),
        "the end of another": ([*lines[:3], lines[-1]], 4),
        "more behind the end": ([*lines, lines[1]], len(lines) + 1),
    }


@pytest.mark.parametrize("kind", list(damaged([b"{}\n", *[b'{"kind": "unit"}, "digest"\n'] * 9])))
def test_what_is_damaged_is_refused_and_says_where_and_what_to_do(tmp_path, whole, quick, kind):
    lines, line = damaged(whole.splitlines(keepends=True))[kind]
    file = tmp_path / "a folder" / FILE
    file.parent.mkdir()
    file.write_bytes(b"".join(lines))
    with pytest.raises(DamagedError, match=rf"^line {line} of .*{FILE} .*: this is not what was written; ") as caught:
        opened(file.parent)
    assert file.read_bytes() == b"".join(lines)
    advice = re.search(r"`(truncate .*?)` keeps what is whole before it, (\d+) finished units?, ", str(caught.value))
    if advice is None:
        assert "nothing before it can be kept: move the file away to begin anew" in str(caught.value)
        file.unlink()
        assert gone_on_with(file.parent, UNITS) == (set(), [])
    else:
        subprocess.run(shlex.split(advice[1]), check=True)
        there, _ = gone_on_with(file.parent, UNITS)
        assert len(there) == (0 if kind == "more behind the end" else int(advice[2]))
        assert int(advice[2]) > 0
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello\n", r"^line 1 of .* is not a line of kind provenance: 'hello\\n'; expected the verdicts.jsonl that"),
        (b"hello", r"^line 1 of .* is not a line of kind provenance: 'hello'"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), r"^line 1 of .* is not a line of kind provenance: "),
        (
            b'{"kind": "provenance", "schema": "other/9"}\n',
            r" has schema 'other/9', this version reads 'hippo-verify/1'",
        ),
        (b"\n\n", r" is empty; expected the verdicts.jsonl"),
    ],
)
def test_what_is_no_store_is_refused_and_left_alone(tmp_path, content, said):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        opened(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


def test_verdicts_that_change_under_us_are_not_given(tmp_path):
    with opened(tmp_path) as store:
        store.add(0, key(0), unit(0))
        content = (tmp_path / FILE).read_bytes()
        with (tmp_path / FILE).open("r+b") as file:
            file.seek(content.index(b'"compared": 3') + 12)
            file.write(b"4")
        with pytest.raises(DamagedError, match=r"changed while it was read: .* run the command again"):
            store.verdicts(key(0))


# What was there before.


@pytest.mark.parametrize("why", ["finished", "other", "old"])
def test_what_is_not_gone_on_with_is_kept(tmp_path, why, whole):
    file = written(tmp_path, [0, 1], end=why == "finished")
    if why == "old":
        file.write_bytes(re.sub(rb', "digest": "\w+"', b"", file.read_bytes()))
    before = file.read_bytes()
    store = opened(tmp_path, "of something else" if why == "other" else FINGERPRINT)
    store.close()
    said = {"finished": "reached its end", "other": "other versions, sources", "old": "no digests"}[why]
    assert re.search(rf"the verdicts in .* are now in verdicts\.previous\.jsonl: .*{said}", "".join(store.remarks))
    assert len(store.finished) == 0
    assert (tmp_path / "verdicts.previous.jsonl").read_bytes() == before
    if why != "other":
        gone_on_with(tmp_path, UNITS)
        assert file.read_bytes() == whole


def test_a_finished_campaign_makes_no_room_for_a_stopped_one(tmp_path):
    """Two wrong starts must not cost the campaign before them."""
    whole = written(tmp_path, [0, 1]).read_bytes()
    for wrong in ("first", "second", "third"):
        with opened(tmp_path, wrong) as store:
            store.add(0, key(0), unit(0))
    assert (tmp_path / "verdicts.previous.jsonl").read_bytes() == whole
    assert len(open_store(tmp_path / "verdicts.previous-2.jsonl")) == len(unit(0))
    assert sorted(path.name for path in tmp_path.glob("verdicts*")) == [
        "verdicts.jsonl", "verdicts.previous-2.jsonl", "verdicts.previous.jsonl",
    ]  # fmt: skip


def test_a_campaign_that_is_gone_on_with_keeps_where_it_began(tmp_path):
    written(tmp_path, [0], end=False)
    with VerdictStore(tmp_path, {**PROVENANCE, "time": "later"}, FINGERPRINT) as store:
        assert store.provenance == PROVENANCE


def test_nothing_depends_on_the_time_of_day(tmp_path, whole, monkeypatch, quick):
    file = written(tmp_path, [2, 0], end=False)
    os.utime(file, (4e9, 4e9))
    monkeypatch.setattr(time, "time", None)
    assert gone_on_with(tmp_path, UNITS)[0] == {key(0), key(2)}
    assert file.read_bytes() == whole


# Two at a time.


def test_two_campaigns_in_one_folder_are_refused(tmp_path):
    with opened(tmp_path):
        with pytest.raises(BusyError, match=rf"process {os.getpid()} is at work in {tmp_path}; wait until it ends"):
            opened(tmp_path)
        started = time.monotonic()
        with pytest.raises(BusyError, match="is at work"):
            opened(tmp_path, wait=0.2)
        assert time.monotonic() - started >= 0.2
    opened(tmp_path).close()


@pytest.mark.parametrize("wait", [60, None])
def test_who_waits_goes_on_with_what_the_other_leaves(tmp_path, wait):
    first = opened(tmp_path)
    found = []

    def second():
        with opened(tmp_path, wait=wait) as store:
            found.append(key(0) in store.finished)

    thread = threading.Thread(target=second)
    thread.start()
    first.add(0, key(0), unit(0))
    first.close()
    thread.join(30)
    assert found == [True]


# What a disk does.

CALLS = ("write", "fsync", "replace", "ftruncate", "open")


def campaign(folder, reported):
    """A whole campaign, its units not in the order of the plan; says after each sync what is safe."""
    with opened(folder) as store:
        for index in SHUFFLED:
            if key(index) not in store.finished:
                store.add(index, key(index), unit(index))
            if index % 2:
                store.sync()
                reported(sum(1 << number for number in range(UNITS) if key(number) in store.finished))
        store.end(map(key, range(UNITS)), ["said at the end"])


def faulty(patch, nth, fault):
    """Let the nth of the calls that change a disk go wrong; a write after half of it."""
    left = [nth]

    def wrapped(name, call):
        def instead(*arguments, **options):
            left[0] -= 1
            if left[0] == 0:
                if name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                fault()
            return call(*arguments, **options)

        return instead

    for name in CALLS:
        patch.setattr(os, name, wrapped(name, getattr(os, name)))
    return left


def full():
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupt():
    raise KeyboardInterrupt


def test_what_is_said_to_be_durable_was_flushed_first(tmp_path, monkeypatch):
    """No power can be cut here: what is looked at is the order of what the system is asked for."""
    asked = []
    names = {name: getattr(os, name) for name in ("fsync", "replace")}

    def fsync(handle):
        asked.append(("fsync", Path(os.readlink(f"/proc/self/fd/{handle}")).name))
        names["fsync"](handle)

    def replace(old, new, **options):
        asked.append(("replace", Path(old).name, Path(new).name))
        names["replace"](old, new, **options)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    whole_file = [("fsync", "verdicts.new.jsonl"), ("replace", "verdicts.new.jsonl", FILE), ("fsync", tmp_path.name)]

    def now():
        found = asked[:]
        asked.clear()
        return found

    with opened(tmp_path) as store:
        assert now() == whole_file
        store.add(1, key(1), unit(1))
        store.sync()
        assert now() == [("fsync", FILE)]
        store.sync()
        assert now() == []
        store.add(0, key(0), unit(0))
    with opened(tmp_path) as store:
        assert now() == [("fsync", FILE)], "what a stopped campaign left may not have been flushed"
        store.end([key(0), key(1)], [])
        assert now() == whole_file


def test_what_a_killed_campaign_left_half_written_beside_the_file_goes(tmp_path):
    (tmp_path / "verdicts.new.jsonl").write_bytes(b"half of a line")
    opened(tmp_path).close()
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "lock"}
    (tmp_path / "verdicts.new.jsonl").write_bytes(b"half of a line")
    gone_on_with(tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "lock"}


def test_what_could_not_be_made_durable_is_taken_back(tmp_path, monkeypatch):
    """A system that failed to write may say the next time that it has written: nobody asks it again."""
    given = os.fsync

    def broken(_):
        raise OSError(errno.EIO, "Input/output error")

    with opened(tmp_path) as store:
        store.add(0, key(0), unit(0))
        store.sync()
        store.add(1, key(1), unit(1))
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match=r"cannot write .*: Input/output error; what is finished is safe"):
            store.sync()
        monkeypatch.setattr(os, "fsync", given)
        with pytest.raises(ValueError, match="is closed"):
            store.sync()
    with opened(tmp_path) as store:
        assert [key(index) in store.finished for index in (0, 1)] == [True, False]


@pytest.fixture(params=["anew", "torn"])
def begun(request, tmp_path, stopped):
    """Makes a folder in which a campaign begins, or goes on after it was torn off."""

    def make(name):
        folder = tmp_path / str(name)
        folder.mkdir()
        if request.param == "torn":
            (folder / FILE).write_bytes(stopped[: list(ends(stopped).values())[2] + 40])
        return folder

    return make


@pytest.mark.parametrize("fault", [full, interrupt])
def test_a_disk_that_fails_at_any_moment_loses_nothing(begun, whole, fault):
    for nth in range(1, 999):
        folder, safe, said = begun(nth), [0], None
        with pytest.MonkeyPatch.context() as patch:
            left = faulty(patch, nth, fault)
            try:
                campaign(folder, safe.append)
            except (OSError, KeyboardInterrupt) as error:
                said = str(error)
        if left[0] > 0:
            break
        if fault is full:
            advice = "what is finished is safe: once that is mended, the same command goes on from there"
            assert re.search(rf"cannot write {folder}.*: No space left on device; {advice}", said)
        _goes_on(folder, safe[-1], whole)
    assert nth > 12


def _goes_on(folder, safe, whole):
    """After whatever happened: what was reported is there, and the campaign ends as an unbroken one."""
    if (folder / FILE).exists() and (folder / FILE).read_bytes() == whole:
        return  # the last call of all
    there, _ = gone_on_with(folder, UNITS)
    assert {key(index) for index in range(UNITS) if safe >> index & 1} <= there
    assert (folder / FILE).read_bytes() == whole
    assert {path.name for path in folder.iterdir()} == {FILE, "lock"}


def test_a_process_that_is_killed_at_any_moment_loses_nothing(begun, whole):
    """Without any chance to clean up: no handler, no destructor, half of a line written."""
    for nth in range(1, 999):
        folder = begun(nth)
        code, safe = killed(folder, nth)
        if code == 0:
            break
        _goes_on(folder, safe, whole)
    assert nth > 12


def killed(folder, nth):
    """A campaign in a process of its own that ends at its nth call: its exit code, and what it reported last."""
    reading, writing = os.pipe()
    say = os.write
    child = os.fork()
    if not child:
        with pytest.MonkeyPatch.context() as patch:
            faulty(patch, nth, lambda: os._exit(9))
            campaign(folder, lambda safe: say(writing, bytes([safe])))
        os._exit(0)
    os.close(writing)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(reading, "rb") as file:
        return code, (file.read() or b"\0")[-1]


LIMITED = """
import resource, sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_store import campaign
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    campaign(Path(sys.argv[1]), lambda safe: print(safe, flush=True))
except OSError as error:
    print(error.strerror)
    sys.exit(7)
"""


def test_a_limit_on_files_is_said_and_nothing_is_lost(tmp_path, whole):
    limit = len(whole) // 2
    script = LIMITED.format(paths=[str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path, str(limit)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 7, done.stderr
    *safe, said = done.stdout.splitlines()
    assert re.search(r"cannot write .*: File too large; what is finished is safe", said)
    _goes_on(tmp_path, int(safe[-1]), whole)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_said_and_nothing_is_lost(small_disk):
    ballast, folder, safe = small_disk / "ballast", small_disk / "store", set()
    ballast.write_bytes(bytes(6 * 1024))

    def until_it_is_full():
        with opened(folder) as store:
            for index in range(99):
                store.add(index, key(index), unit(index))
                store.sync()
                safe.add(index)

    def in_another_order():
        with opened(folder) as store:
            store.end(map(key, sorted(safe, reverse=True)), [])

    for act in (until_it_is_full, in_another_order):
        with pytest.raises(OSError, match=r"cannot write .*: No space left on device; what is finished") as caught:
            act()
        assert caught.value.errno == errno.ENOSPC
    assert safe
    ballast.unlink()
    with opened(folder) as store:
        assert {index for index in range(99) if key(index) in store.finished} == safe
        assert all(store.verdicts(key(index)) == unit(index) for index in safe)


# Where nobody may write.


@pytest.fixture
def nobody():
    """A folder, and no right to write what one may not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)


def test_a_folder_that_may_not_be_written_is_said(nobody):
    written(nobody / "store", [0], end=False)
    (nobody / "store").chmod(0o500)
    (nobody / "other").mkdir(mode=0o500)
    with pytest.raises(PermissionError, match=r"cannot write .*other/lock: Permission denied; what is finished"):
        opened(nobody / "other")
    with pytest.raises(PermissionError, match=r"cannot write .*other/new/?.*: Permission denied"):
        opened(nobody / "other" / "new")
    with opened(nobody / "store") as store:
        assert key(0) in store.finished  # what is there can still be appended to
        store.add(2, key(2), unit(2))
        with pytest.raises(PermissionError, match=r"cannot write .*verdicts.new.jsonl: Permission denied"):
            store.end([key(2), key(0)], [])
    (nobody / "store").chmod(0o700)
    assert gone_on_with(nobody / "store", 3)[0] == {key(0), key(2)}
    (nobody / "other").chmod(0o700)


def test_a_file_that_may_not_be_written_is_said(nobody):
    file = written(nobody, [0], end=False)
    before = file.read_bytes()
    file.chmod(0o400)
    with pytest.raises(PermissionError, match=rf"cannot write .*{FILE}: Permission denied; what is finished is safe"):
        opened(nobody)
    assert file.read_bytes() == before


def test_a_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(OSError, match=r"cannot write .*file.*: (File exists|Not a directory); what is finished"):
            opened(folder)


# Names of many units.


def test_names_keep_their_numbers_also_where_their_digests_are_the_same(monkeypatch):
    for digest in (places._digest, len):
        monkeypatch.setattr(places, "_digest", digest)
        names = [f"{draw:x}" for draw in random.Random(5).sample(range(16**6), 700)]
        found = Places(names.__getitem__)
        assert [found.add(name) for name in names] == list(range(700))
        assert [found.get(name) for name in names] == list(range(700))
        assert all(name in found for name in names)
        assert not any(f"{name}x" in found or name[1:] + "y" in found for name in names)
        assert (len(found), 7 in found) == (700, False)
        with pytest.raises(ValueError, match="is there already"):
            found.add(names[3])


def test_a_store_holds_no_verdicts_in_memory(tmp_path, quick):
    """Of a million units it would hold fewer than a hundred million bytes, whatever their verdicts are."""
    import tracemalloc

    with opened(tmp_path) as store:
        large = verdict(0, details={"said": "x" * 10_000})
        store.add(0, "0", [large])
        tracemalloc.start()
        try:
            for number in range(1, 2000):
                store.add(number, f"{number}", [large] if number % 100 == 0 else [])
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert held < 100 * 2000
