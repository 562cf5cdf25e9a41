"""Each hostile target gets its named verdict in time, and the verdicts of the others are what they are without it."""

import json
import os
import platform
import re
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import zoo_adapters

from verify import campaign, judging
from verify.adapters import ADAPTERS
from verify.adapters.isolated import IsolatedTarget
from verify.cases import make_case
from verify.checks import CHECKS, QUICK
from verify.isolation import Worker, process
from verify.result import TargetError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TIMEOUT = 1.0
PATIENCE = 20.0  # for what does not hang, on a busy machine
SLACK = 2.0
MEMORY = 256 * 2**20
EXAMINED = ("matrices", "determinism", "side_effects")

# What it does -> (target, its fate: the kind of an ERROR, the check that FAILs, or PASS; what the verdict says).
ZOO = {
    "reads address 0": ("crashes", "crash", r"was killed by SIGSEGV in crashes"),
    "calls `os.abort`": ("dumps", "crash", r"was killed by SIGABRT in dumps"),
    "signals its own process group": ("kills_its_group", "crash", r"was killed by SIGTERM"),
    "compares lists nested a million deep": ("recurses_in_c", "crash", r"was killed by SIGSEGV"),
    "calls `os._exit(0)`": ("leaves", "exit", r"ended its process with status 0"),
    "calls `sys.exit`": ("asks_to_leave", "exit", r"asked to end its process \(SystemExit: enough\)"),
    "closes every descriptor": ("closes_everything", "exit", r"ended its process with status \d+"),
    "never returns": ("hangs", "timeout", r"did not answer within 1 s; it was in hangs \(zoo_animals.py, line \d+\)"),
    "never returns, in C, all signals blocked": ("hangs_in_c", "timeout", r"did not answer within 1 s"),
    "never returns, all signals handled": ("hangs_and_catches", "timeout", r"did not answer within 1 s"),
    "hangs at one call in fifty": ("hangs_once_in_fifty", "timeout", r"did not answer within 1 s; it was in hangs"),
    "hangs when its exception is read": ("hangs_in_its_words", "timeout", r"did not answer within 1 s"),
    "hangs when its answer is read": ("hangs_when_read", "timeout", r"did not answer within 1 s; it was in __array__"),
    "eats memory": ("eats", "memory", r"used \d+ MiB of memory, over the limit of 256 MiB"),
    "eats memory with four threads": ("eats_by_threads", "memory", r"used \d+ MiB of memory, over the limit"),
    "eats memory with three child processes": ("eats_in_children", "memory", r"used \d+ MiB of memory, over the limit"),
    "answers with 2 GiB": ("answers_hugely", "memory", r"MiB of memory, over the limit"),
    "recurses without end": ("recurses", "raised", r"raised RecursionError"),
    "raises with control characters and a megabyte of text": ("shouts", "raised", r"raised ValueError: \\x1b\[31m"),
    "raises what has no text": ("mute", "raised", r"its __str__ fails"),
    "writes into every descriptor": ("writes_everywhere", "protocol", r"sent something that is not a reply"),
    "forges an answer of another form": ("forges_an_answer", "protocol", r"sent no answer of ours"),
    "forges an error with control characters": ("forges_a_reply", "raised", r"said \\x1b\[31m y+\.\.\."),
    "prints a forged result, and answers wrongly": ("pretends", "matrices", r"B\[\d\] is off by"),
    "replaces functions of numpy, and answers wrongly": ("patches_numpy", "matrices", r"B\[\d\] is off by"),
    "computes in float32 and says float64": ("single_inside", "matrices", r"is off by"),
    "gives arrays whose `dtype` is a lie": ("lies_about_its_dtype", "matrices", r"is off by"),
    "has one NaN": ("nan_in_a_corner", "matrices", r"got nan"),
    "gives objects that pose as arrays": ("poses", "matrices", r"A is "),
    "gives a generator": ("generates", "matrices", r"expected a pair \(A, B\)"),
    "gives arrays that say something else each time": ("is_moody", "determinism", r"asked again is off by"),
    "hands out memory that it uses again": ("reuses_its_memory", "side_effects", r"an answer given earlier changed"),
    "seeds numpy's random numbers": ("seeds", "side_effects", r"numpy's random state"),
    "leaves files open": ("leaks_files", "side_effects", r"the number of open files"),
    "leaves threads running": ("leaks_threads", "side_effects", r"the number of threads"),
    "forks, and both copies answer": ("forks_and_answers_twice", "side_effects", r"the number of child processes"),
    "changes the working directory": ("moves", "side_effects", r"the working directory"),
    "changes the rounding mode": ("rounds_up", "side_effects", r"the rounding mode"),
    "flushes subnormal numbers to zero": ("flushes_to_zero", "side_effects", r"the treatment of subnormal numbers"),
    "silences numpy's floating-point errors": ("silences_errors", "side_effects", r"numpy's handling of floating"),
    "silences warnings": ("silences_warnings", "side_effects", r"the warnings filters"),
    "sets an environment variable": ("sets_a_variable", "side_effects", r"the environment variable OMP_NUM_THREADS"),
    "handles SIGTERM": ("ignores_the_end", "side_effects", r"the handler of SIGTERM"),
    "sets an alarm": ("sets_an_alarm", "side_effects", r"the alarm clock"),
    "traces": ("traces", "side_effects", r"the trace function"),
    "lowers the recursion limit": ("lowers_the_limit", "side_effects", r"the recursion limit"),
    "stops the garbage collector": ("stops_the_collector", "side_effects", r"the garbage collector"),
    "lowers the precision of decimals": ("counts_coarsely", "side_effects", r"the decimal context"),
    "changes the umask": ("hides_its_files", "side_effects", r"the umask"),
    "hooks into imports": ("hooks_imports", "side_effects", r"the import hooks"),
    "replaces the output streams": ("takes_the_streams", "side_effects", r"sys.stdout or sys.stderr"),
    "floods its output": ("floods", "PASS", ""),
    "raises in `__del__`": ("clings", "PASS", ""),
    "hangs at exit": ("hangs_at_exit", "PASS", ""),
    "goes on printing between calls": ("chatters", "PASS", ""),
}
KINDS = ("crash", "exit", "timeout", "memory", "raised", "protocol")


def unit(name):
    case = make_case(f"zoo-{name}", order=4, level="matrices")
    return campaign.Unit(case.target, case, ("matrices",), QUICK, PATIENCE)


def told(verdicts):
    """Verdicts as they are stored, but for how long they took."""
    return [json.dumps({**verdict.to_json(), "seconds": 0}, sort_keys=True) for verdict in verdicts]


@pytest.fixture(scope="module")
def zoo():
    """A campaign whose plan is the zoo, one library; the verdicts on its right target, alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        names = {name for name, _, _ in ZOO.values()} | {"right"}
        for name in names:
            patch.setitem(ADAPTERS, f"zoo-{name}", zoo_adapters.Animal(name))

        def make_worker(name, *, timeout, memory_limit):
            return Worker("zoo_adapters:load", {"target": name}, timeout=timeout, memory_limit=MEMORY)

        patch.setattr(judging, "make_worker", make_worker)
        patch.setattr(judging, "CHECKS", {key: CHECKS[key] for key in EXAMINED})
        patch.setattr(judging, "diagnose", lambda *_: [])  # asks much, and has tests of its own
        campaign.close_targets()
        yield told(campaign.run_unit(unit("right")))
        campaign.close_targets()


def test_the_right_target_passes(zoo):
    assert [json.loads(text)["status"] for text in zoo] == ["PASS"] * len(EXAMINED)


@pytest.mark.parametrize(("name", "fate", "words"), ZOO.values(), ids=[row[0] for row in ZOO.values()])
def test_a_hostile_target_gets_its_verdict_in_time_and_costs_no_other_one(zoo, name, fate, words):
    if name in ("rounds_up", "flushes_to_zero") and platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("the floating-point unit of this processor is not known to the test")
    # In a process that others have used a target that dies is asked a second time; the right one is no such other.
    assert told(campaign.run_unit(unit("right"))) == zoo
    worker, timeout = judging._WORKERS[zoo_adapters.LIBRARY], TIMEOUT if fate == "timeout" else PATIENCE
    worker.served.clear()
    worker._timeout = timeout
    verdicts = campaign.run_unit(unit(name))
    worker._timeout = PATIENCE
    assert max(verdict.seconds for verdict in verdicts) < timeout + SLACK
    assert [verdict.check for verdict in verdicts] == list(EXAMINED)
    by_check = {verdict.check: verdict for verdict in verdicts}
    if fate == "PASS":
        assert [str(verdict.status) for verdict in verdicts] == ["PASS"] * len(EXAMINED)
    elif fate in KINDS:
        lost = [verdict for verdict in verdicts if verdict.status == "ERROR"]
        assert {verdict.worst["kind"] for verdict in lost} == {fate}, [verdict.message for verdict in verdicts]
        assert re.search(words, lost[0].message), lost[0].message
        assert all(verdict.status != "FAIL" for verdict in verdicts)
    else:
        assert by_check[fate].status == "FAIL", [(str(v.status), v.message) for v in verdicts]
        assert re.search(words, by_check[fate].message), by_check[fate].message
    assert all(verdict.message.isprintable() for verdict in verdicts)
    assert told(campaign.run_unit(unit("right"))) == zoo


def test_the_zoo_has_all_kinds_and_twenty_animals():
    fates = {fate for _, fate, _ in ZOO.values()}
    assert fates == {*KINDS, *EXAMINED, "PASS"}
    assert len({name for name, _, _ in ZOO.values()}) == len(ZOO) >= 20


def row(does, fate):
    """A row of the table in the documentation."""
    said = {"PASS": "PASS", **{kind: f"ERROR, `{kind}`" for kind in KINDS}}.get(fate, f"FAIL, `{fate}`")
    return f"| {does} | {said} |"


def test_the_documentation_shows_the_zoo():
    page = (ROOT / "docs/isolation.md").read_text(encoding="utf-8")
    shown = [line for line in page.splitlines() if re.match(r"\| .* \| (PASS|ERROR|FAIL)", line)]
    assert shown == [row(does, fate) for does, (_, fate, _) in ZOO.items()]
    assert f"{len(ZOO)} of {len(ZOO)}" in page


@pytest.fixture
def animal(monkeypatch):
    """Makes targets of animals that share one worker, as adapters of one library do."""
    monkeypatch.syspath_prepend(HERE)
    with Worker("zoo_adapters:load", {"target": "zoo-right"}, timeout=20, memory_limit=2**30) as worker:

        def make(name):
            monkeypatch.setitem(ADAPTERS, f"zoo-{name}", zoo_adapters.Animal(name))
            return IsolatedTarget(f"zoo-{name}", worker=worker), make_case(f"zoo-{name}", order=4, level="matrices")

        make.worker = worker
        yield make


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("crashes", [False, True])
def test_a_daemon_that_has_left_its_parents_and_its_session_ends_with_the_worker(animal, crashes):
    target, case = animal("leaves_a_daemon")
    daemon = int(target.call(case, 4).arrays["B"][0])
    assert os.getsid(daemon) not in (animal.worker.pid, os.getsid(0))
    assert psutil.Process(daemon).ppid() != animal.worker.pid
    if crashes:  # the worker is gone before its owner looks for what it has started
        other, case = animal("crashes")
        with pytest.raises(TargetError):
            other.call(case, 4)
    else:
        animal.worker.close()
    until = time.monotonic() + SLACK
    while lives(daemon) and time.monotonic() < until:
        time.sleep(0.01)
    assert not lives(daemon)


def test_a_bomb_that_one_target_leaves_costs_the_next_one_nothing(animal):
    leaver, its = animal("leaves_a_bomb")
    leaver.call(its, 4)
    pid = animal.worker.pid
    slow, case = animal("takes_its_time")
    assert slow.call(case, 4).arrays["B"].shape == (4,)
    assert animal.worker.pid != pid


def test_its_own_bomb_is_its_own_fault(animal):
    """Alone in a process a target is not asked again: that it hangs or dies once in a while is what it does."""
    target, case = animal("crashes")
    animal.worker.call(operation="levels")
    pid = animal.worker.pid
    with pytest.raises(TargetError, match="SIGSEGV"):
        target.call(case, 4)
    assert not animal.worker.alive
    assert animal.worker.served == {"zoo-crashes"}
    assert not lives(pid)


def test_a_crowd_of_processes_is_sent_home(animal, monkeypatch):
    monkeypatch.setattr(process, "_CROWD", 16)
    target, case = animal("crowds")
    with pytest.raises(TargetError, match=r"had \d+ processes running, over the limit of 16") as caught:
        target.call(case, 4)
    assert caught.value.kind == "memory"


class Forger:
    """A worker that is up and says anything."""

    alive = True

    def __init__(self, answer):
        self.served = set()
        self.call = lambda **_: answer


GOOD = {"arrays": {"A": np.eye(4), "B": np.ones(4)}, "dtype": "float64", "malformed": "", "input_changed": False}


def ask(**changes):
    case = make_case("x", order=4, level="matrices")
    target = IsolatedTarget("x", level="matrices", worker=Forger({"levels": ["matrices"], **GOOD, **changes}))
    return target.call(case, 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"arrays": []},
        {"arrays": {"A": np.eye(4)}},
        {"arrays": {"A": "x", "B": np.ones(4)}},
        {"arrays": {"A": np.array(["x"]), "B": np.ones(4)}},
        {"dtype": 3},
        {"malformed": None},
        {"state_changed": 7},
        {"unsupported": 5},
    ],
    ids=lambda changes: repr(changes)[:40],
)
def test_what_is_no_answer_of_ours_is_an_error_of_the_protocol(changes):
    with pytest.raises(TargetError, match="sent no answer of ours") as caught:
        ask(**changes)
    assert caught.value.kind == "protocol"


def test_a_forged_word_is_on_one_line():
    assert ask().arrays["A"].shape == (4, 4)
    assert ask(state_changed=["\x1b[2J"]).state_changed == ("\\x1b[2J",)


@pytest.mark.parametrize("forged", [{}, {"levels": 5}, [], None], ids=repr)
def test_forged_levels_are_an_error_of_the_protocol(forged):
    with pytest.raises(TargetError, match="sent no answer of ours"):
        IsolatedTarget("x", worker=Forger(forged)).levels()
