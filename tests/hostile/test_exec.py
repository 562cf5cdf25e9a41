"""Whatever a command does, it ends in a named verdict in time, and the other cases keep theirs."""

import re
import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import verify
from verify.adapters.exec_bridge import Bridge
from verify.adapters.isolated import GIVE_UP, IsolatedTarget
from verify.cases import make_case
from verify.isolation import EndedError, Worker, WorkerError
from verify.result import TargetError

ZOO = Path(__file__).parent / "targets" / "exec_zoo.py"
TIMEOUT = 1.0
SLACK = 2.0
MIB = 2**20


def command(*words):
    return "exec:" + shlex.join([sys.executable, "-S", "-E", str(ZOO), *map(str, words)])


def check(*words, orders=(4,), **options):
    options = {"timeout": 10, "checks": ["matrices"], **options}
    return verify.check(command(*words), orders=orders, **options)


@contextmanager
def bridge(target):
    """The bridge in this process, without its worker: what it says of a program is what the worker passes on."""
    made = Bridge(target)
    try:
        yield made
    finally:
        process = made._child._process
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def asked(made, order=4):
    return made.handle(operation="call", case=make_case("mine", order=order).to_json(), arguments=[order])


HELLOS = [
    ("garbage", r"wrote a line to its stdout that is no JSON object: 'Welcome to LegS 3000!'; stdout is for answers"),
    ("banner", r"is no JSON object: 'loading the library \.\.\.'; .* anything else goes to stderr"),
    ("other_version", r"speaks \"hippo-exec/2\"; this version of hippo-verify speaks 'hippo-exec/1'"),
    ("no_capabilities", r"says capabilities null; expected an object"),
    ("no_levels", r"says levels null; expected a list of strings"),
    ("unknown_level", r"says levels \[\"matrice\"\]: 'matrice' is not among matrices, step, scan"),
    ("unknown_measure", r"says that it has the measure \"lego\"; known: legs, legt"),
    ("unknown_method", r"says methods \[\"tustin\"\]: method is 'tustin'; accepted: bilinear"),
    ("unknown_capability", r"has \"rules\" among its capabilities; known: levels, measures, methods, dtypes, orders"),
    ("fixed_to_words", r"says that theta of legt is \"wide\"; expected a number"),
    ("turned_orders", r"says orders \[64, 4\]; expected the smallest and the largest"),
    ("exits_first", r"ended its process with status 3"),
    ("long_hello", r"wrote a line of more than 1048576 bytes, the most that this answer may have: 'xxx"),
    ("hostile_words", r"speaks \"\\u001b\[31m\[red\]</script>\\n\\u202e\""),
]


@pytest.mark.parametrize(("deed", "message"), HELLOS, ids=[row[0] for row in HELLOS])
def test_who_does_not_introduce_itself_is_refused(deed, message):
    with bridge(command(deed)) as made, pytest.raises(EndedError, match=message):
        made.meet({})


COMMANDS = [
    ("exec:echo garbage", r"is no JSON object: 'garbage'"),
    ("exec:true", r"ended its process with status 0"),
    ("exec:cat", r"does not say its capabilities; expected an object"),
    ("exec:./no-such-program", r"could not be started: './no-such-program': No such file or directory; give a program"),
    ("exec:/", r"could not be started: '/': Permission denied"),
    ("exec:", r"is an empty command; give a program, as in exec:\./program"),
    ("exec:'", r"is no command: No closing quotation in"),
    ("exec:nul\0byte", r"could not be started: .*null byte"),
]


@pytest.mark.parametrize(("target", "message"), COMMANDS, ids=[repr(row[0]) for row in COMMANDS])
def test_a_command_that_is_no_program_of_ours(target, message):
    with pytest.raises(EndedError, match=message), bridge(target) as made:
        made.meet({})


@pytest.mark.parametrize("target", ["exec:./no-such-program", command("garbage"), command("exits_first")])
def test_what_cannot_be_loaded_is_one_error(target):
    report = verify.check(target, orders=(4, 8), timeout=TIMEOUT)
    (verdict,) = report.verdicts
    assert (report.exit_code, verdict.check, verdict.status, verdict.worst["kind"]) == (3, "load", "ERROR", "load")
    assert verdict.message.startswith("The target could not be loaded: it ")


def test_who_never_introduces_itself_is_given_up():
    """The first line has the time for loading, which is longer than that of a call."""
    loader = "verify.adapters.exec_bridge:load"
    seconds = 3.0  # for the interpreter of the worker, too
    with Worker(loader, {"target": command("silent")}, timeout=TIMEOUT, load_timeout=seconds) as worker:
        started = time.monotonic()
        with pytest.raises(
            WorkerError, match=r"The target could not be loaded: it did not answer within 3 s\."
        ) as lost:
            worker.call(operation="levels")
        assert time.monotonic() - started < seconds + SLACK
    assert lost.value.kind == "load"


NOBODY_ASKED = (
    r"wrote a line to its stdout that nobody had asked for: '\{\"id\": 1|answered with id 1 where 2 was asked"
)
DEEDS = [
    ("wrong_id", "protocol", r"answered with id 2 where 1 was asked: '\{\"id\": 2"),
    ("no_id", "protocol", r"answered without an id where 1 was asked"),
    ("text_id", "protocol", r"answered with id \"1\" where 1 was asked"),
    ("truncated", "protocol", r"wrote a line to its stdout that is no JSON object: '\{\"id\": 1, \"answer\""),
    ("ends_in_a_line", "exit", r"ended its process with status 0 in the middle of a line: '\{\"id\": 1, \"answer"),
    ("noisy", "protocol", r"is no JSON object: 'computing \.\.\.'"),
    ("blank_line", "protocol", r"is no JSON object: ''"),
    ("latin", "protocol", r"is no JSON object: '\{\"id\": 1, \"error\": \"\ufffd\"\}'"),
    ("deep", "protocol", r"is no JSON object: '\[\[\["),
    ("a_list", "protocol", r"is no JSON object: '\[1\]'"),
    ("says_nothing", "protocol", r"wrote a line with no answer, error or unsupported"),
    ("says_two_things", "protocol", r"wrote a line with answer and error"),
    ("long_line", "protocol", r"wrote a line of more than 66816 bytes, the most that this answer may have: '1111"),
    ("endless_line", "protocol", r"wrote a line of more than 66816 bytes"),
    ("flood", "protocol", r"is no JSON object: 'noise'"),
    ("answers_unasked", "protocol", NOBODY_ASKED),
    ("twice", "protocol", NOBODY_ASKED),
    ("stale", "protocol", r"answered with id 1 where 2 was asked"),
    ("segfaults", "crash", r"was killed by SIGSEGV"),
    ("kills_itself", "crash", r"was killed by SIGKILL, sent by itself or the system"),
    ("shell_of_a_crash", "exit", r"with status 139 \(so a shell says that SIGSEGV killed what it ran\)"),
    ("exits", "exit", r"ended its process with status 0"),
    ("exits_after", "exit", r"ended its process with status 7"),
    ("exits_after_hello", "exit", r"ended its process with status 0"),
    ("leaves_its_output_open", "exit", r"ended its process with status 5"),
    ("closes_stdout", "protocol", r"closed its stdout without an answer"),
    ("closes_stdin", "protocol", r"closed its stdin without an answer"),
    ("fails", "raised", r"answered with an error: no operator"),
]


@pytest.mark.parametrize(("deed", "kind", "message"), DEEDS, ids=[row[0] for row in DEEDS])
def test_no_answer_has_a_name(deed, kind, message):
    """What comes too late or too often shows with the next question."""
    started = time.monotonic()
    with bridge(command(deed)) as made:
        made.meet({})
        with pytest.raises(EndedError, match=message) as lost:
            asked(made) and asked(made)
    assert lost.value.kind == kind
    assert len(lost.value.what) < 1000
    assert time.monotonic() - started < TIMEOUT + SLACK


def test_a_long_question_is_not_waited_for_by_both():
    """A program that answers before it reads fills one pipe while we fill the other."""
    with bridge(command("flood")) as made:
        made.meet({})
        case = make_case("mine", level="scan", order=1)
        with pytest.raises(EndedError, match="is no JSON object: 'noise'"):
            made._ask(case, [[0.1] * 300_000, 1])


ENDS = [
    ("never_answers", "timeout", r"^The target did not answer within 1 s\.$"),
    ("hangs_in_a_line", "timeout", r"^The target did not answer within 1 s\.$"),
    ("segfaults", "crash", r"^The target was killed by SIGSEGV\.$"),
    ("truncated", "protocol", r"^The target wrote a line to its stdout that is no JSON object: "),
    ("eats_memory", "memory", r"^The target used \d+ MiB of memory, over the limit of 300 MiB\.$"),
    ("fails", "raised", r"^The target answered with an error: no operator \\x1b\[31m today\.$"),
]


@pytest.mark.parametrize(("deed", "kind", "message"), ENDS, ids=[row[0] for row in ENDS])
def test_the_worker_says_so_in_time_and_goes_on(deed, kind, message):
    target = IsolatedTarget(command(deed, 8), timeout=TIMEOUT, memory_limit=300 * MIB)
    try:
        assert target.levels() == ("matrices",)
        case = make_case(target.name, order=8)
        started = time.monotonic()
        with pytest.raises(TargetError, match=message) as lost:
            target.call(case, 8)
        assert time.monotonic() - started < TIMEOUT + SLACK
        assert lost.value.kind == kind
        assert lost.value.message.isprintable()
        assert target._worker.alive is (kind == "raised")  # it is another one that goes on
        if deed == "hangs_in_a_line":
            said = 'question 1 was under way; it had written a line that began \'{"id": 1, "answer'
            assert said in lost.value.evidence["stderr"]
        target._worker._timeout = 30.0  # what follows has a worker to start, on a machine that others use
        assert target.call(make_case(target.name, order=4), 4).arrays["A"].shape == (4, 4)
        with pytest.raises(TargetError, match=message):
            target.call(case, 8)
    finally:
        target.close()


WRONG = [
    ("no_answer_at_all", r"the answer lacks A, B; expected an object with A, B"),
    ("no_B", r"the answer lacks B; expected an object with A, B"),
    ("short_A", r"A has shape \[4, 4\] and 15 values; expected 16 in one list"),
    ("huge_shape", r"A has shape \[1+\.\.\.; expected a list of at most 8 integers from 0"),
    ("nested_A", r"A is \[\[1\.0\]\]; expected an object with shape and values"),
    ("null_in_B", r"values\[1\] of B is null; expected a number, a decimal or a hex float"),
]


@pytest.mark.parametrize(("deed", "message"), WRONG, ids=[row[0] for row in WRONG])
def test_an_answer_of_no_form_is_malformed(deed, message):
    with bridge(command(deed)) as made:
        made.meet({})
        assert re.search(message, asked(made)["malformed"])


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("null_in_B", r"values\[1\] of B is null"),
        ("nan_in_B", r"B\[1\] is off by inf.*got nan"),
        ("five_rows", r"A has shape \(5, 5\), expected \(4, 4\)"),
        ("half_B", r"B\[\d\] is off by"),
    ],
)
def test_a_wrong_answer_fails(deed, message):
    report = check(deed)
    (verdict,) = report.verdicts
    assert (report.exit_code, verdict.status) == (1, "FAIL"), verdict.message
    assert re.search(message, verdict.message), verdict.message
    assert report.diagnosis


def test_what_is_refused_is_unsupported_and_not_decided():
    report = check("refuses", 8, orders=(4, 8, 16))
    assert [verdict.status for verdict in report.verdicts] == ["PASS", "UNSUPPORTED", "PASS"]
    assert report.verdicts[1].message == "odd [red]orders[/] alone"
    assert (report.coverage.asked, report.coverage.decided) == (3, 2)


@pytest.mark.parametrize(
    ("deed", "status", "orders"),
    [
        ("segfaults", "ERROR", (4, 8, 16)),
        ("wrong_id", "ERROR", (8, 4, 16)),
        ("closes_stdout", "ERROR", (8, 4, 16)),
        ("fails", "ERROR", (8, 4, 16)),
        ("nan_in_B", "FAIL", (8, 4, 16)),
    ],
    ids=str,
)
def test_the_other_cases_keep_their_verdicts(deed, status, orders):
    """The doubled order that one check asks is not judged, so what happens there harms no other."""
    report = check(deed, 8, orders=orders, checks=["matrices", "determinism", "ode"])
    found = {}
    for verdict in report.verdicts:
        found.setdefault(verdict.case.order, set()).add(str(verdict.status))
    assert found.pop(4) == found.pop(16) == {"PASS"}
    assert status in found[8]


@pytest.mark.parametrize("deed", ["segfaults", "truncated"])
def test_a_program_that_is_lost_at_each_case_is_given_up(deed, monkeypatch):
    starts = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: starts.append(args) or popen(*args, **options))
    orders = tuple(range(4, 4 + GIVE_UP + 3))
    report = check(deed, orders=orders)
    assert [verdict.status for verdict in report.verdicts] == ["ERROR"] * len(orders)
    assert sum("verify.isolation.worker" in str(args) for args in starts) == GIVE_UP


def test_a_flood_on_stderr_changes_nothing():
    report = check("floods_stderr")
    assert report.exit_code == 0
    assert "flood flood" not in str(report.to_json())


def test_a_daemon_neither_spoils_nor_outlives_the_check():
    """It has left the group and the session, and its parent; and it holds stdout open."""
    before = set(psutil.pids())
    assert check("daemon").exit_code == 0
    assert soon(lambda: not [pid for pid in set(psutil.pids()) - before if _is_zoo(pid)])


def test_nothing_of_a_command_is_left_behind():
    target = IsolatedTarget(command())
    assert target.levels() == ("matrices",)
    (program,) = [p for p in psutil.Process(target._worker.pid).children() if _is_zoo(p.pid)]
    target.close()
    assert soon(lambda: not _is_zoo(program.pid))


def soon(condition):
    until = time.monotonic() + SLACK
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def _is_zoo(pid):
    try:
        return any("exec_zoo" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
