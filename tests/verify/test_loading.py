"""What a target's name means, in every form in which a stranger may have an implementation."""

import functools
import re
import subprocess
import sys

import numpy as np
import pytest

import verify
from verify import signatures
from verify.adapters.loading import load
from verify.adapters.resolving import resolve
from verify.case import ARGUMENTS, LEVELS, Case
from verify.cases import make_case
from verify.inputs import INPUTS, Batch, Order, ReadOut, Resumption, Signal, TimedSignal, Transition
from verify.result import TargetError, invoke, methods

SOURCE = '''
import functools
import numpy as np

def legs(order):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s

def scaled(order, gain, *, window=1.0):
    A, B = legs(order)
    return A / window, B * gain / window

def anything(order, **options):
    return scaled(order, 1.0, **options)

@functools.wraps(scaled)
def adapted(order):
    """Shows the signature of what it wraps, and takes less."""
    return scaled(order, 1.0)

def broken(order):
    return legs(order, 3)

bound = functools.partial(scaled, gain=1.0)
misbound = functools.partial(scaled, gian=1.0)

class Memory:
    def __init__(self, gain=1.0):
        self.gain = gain

    def matrices(self, order):
        return scaled(order, self.gain)

    def other(self, N):
        return legs(N)

    @staticmethod
    def fixed(order):
        return legs(order)

    @classmethod
    def of_class(cls, order):
        return legs(order)

    @property
    def made(self):
        return legs

    @property
    def failing(self):
        return self.nothing

class Needy:
    def __init__(self, theta, *, size):
        pass

    def matrices(self, order):
        return legs(order)

class Broken(Memory):
    def __init__(self):
        legs(1, 2)

class Callable:
    step = "no method"

    def __call__(self, order):
        return legs(order)

memory, call = Memory(), Callable()
table = {"legs": legs, "nested": {"deep": [legs]}}
levels = {"matrices": legs, "step": None}
number = 3
'''


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("targets") / "operators.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory that is not searched for modules, and modules forgotten afterwards."""
    before, path = set(sys.modules), list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("attribute", "arguments"),
    [
        *((one, {}) for one in ("legs", "bound", "adapted", "anything", "memory", "Memory", "call", "Callable")),
        *((f"memory.{one}", {}) for one in ("matrices", "other", "fixed", "of_class", "made")),
        *((one, {}) for one in ("Memory.fixed", "Memory.of_class", "table.legs", "table.nested.deep.0", "levels")),
        ("scaled", {"gain": 1.0}),
        ("scaled", {"gain": 1, "window": 1}),
        ("anything", {"window": 1.0}),
        ("Memory", {"gain": 1.0}),
        ("bound", {"gain": 1.0}),
        ("adapted", {}),
    ],
)
def test_an_implementation_is_found(file, attribute, arguments):
    found = methods(resolve(f"{file}:{attribute}", arguments))
    assert list(found) == ["matrices"]
    assert invoke(found, "matrices", [3]).arrays["A"].shape == (3, 3)


def test_a_module_is_an_object(here):
    (here / "own.py").write_text("def scan(samples, order): return 1\ndef step(state, sample, k): return 2\nname = 1\n")
    assert set(methods(resolve("own.py", {}))) == {"scan", "step"}
    (here / "lib").mkdir()
    (here / "lib" / "__init__.py").write_text("")
    (here / "lib" / "deep.py").write_text("def matrices(order): return 1\n")
    sys.path.insert(0, str(here))
    for name in ("lib:deep", "lib:deep.matrices", "lib.deep:matrices"):  # lib does not import its module itself
        assert set(methods(resolve(name, {}))) == {"matrices"}


def test_a_level_that_is_named_is_that_of_the_callable(file):
    """Though the object has a method of the name of another level."""

    class Module:
        def step(self):
            """No step of the interface."""

        def __call__(self, samples, order):
            return samples

    assert set(methods(Module())) == {"step"}
    assert set(methods(Module(), "scan")) == {"step", "scan"}
    assert set(methods(functools.partial(Module()), "scan")) == {"scan"}
    assert methods(Module(), "step")["step"].__name__ == "step"


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("lags", r"operators.py has no attribute 'lags'; did you mean legs\?"),
        ("memory.matrixes", r"operators.py:memory has no attribute 'matrixes'; did you mean matrices\?"),
        ("table.legt", r"operators.py:table has no attribute 'legt'; did you mean legs\?"),
        ("xyzzy", r"has no attribute 'xyzzy'; it has functools, np, legs"),
        ("memory.failing", r"memory has 'failing', but reading it raised AttributeError: .*'nothing'"),
        ("Needy", r"Needy\(theta, \*, size\) cannot be called so: missing .*'theta'; give .*--target-arg"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(file, attribute, said):
    with pytest.raises((LookupError, TypeError), match=said):
        resolve(f"{file}:{attribute}", {})


@pytest.mark.parametrize(
    ("attribute", "arguments", "said"),
    [
        ("scaled", {"windw": 1}, r"scaled\(order, gain, \*, window=1.0\) takes no keyword windw; accepted: gain"),
        ("scaled", {"order": 1}, "takes no keyword order; accepted: gain, window"),
        ("legs", {"gain": 1}, r"legs\(order\) takes no keyword gain; accepted: none"),
        ("memory", {"gain": 1}, "is an object with matrices, which takes no --target-arg"),
        ("Memory", {"gian": 1}, r"Memory\(gain=1.0\) cannot be called so: got an unexpected keyword argument 'gian'"),
    ],
)  # fmt: skip
def test_keywords_are_those_that_are_accepted(file, attribute, arguments, said):
    with pytest.raises(TypeError, match=said):
        resolve(f"{file}:{attribute}", arguments)


def test_a_constructor_that_fails_inside_speaks_for_itself(file):
    with pytest.raises(TypeError, match=r"^legs\(\) takes 1 positional argument but 2 were given$"):
        resolve(f"{file}:Broken", {})


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("scaled", r"scaled\(order, gain, \*, window=1.0\) cannot be called as matrices\(order\): missing .*'gain'"),
        ("misbound", "scaled.* cannot be called as matrices"),
        ("Memory.other", r"Memory.other\(self, N\) is a method of a class and needs an object"),
        ("broken", r"^legs\(\) takes 1 positional argument but 2 were given$"),
    ],
)  # fmt: skip
def test_a_call_that_does_not_fit_is_told_from_one_that_fails_inside(file, attribute, said):
    with pytest.raises(TypeError, match=said):
        invoke(methods(resolve(f"{file}:{attribute}", {})), "matrices", [3])


def test_a_module_of_torch_shows_its_forward():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def forward(self, inputs):
            return inputs

    with pytest.raises(
        TypeError, match=r"Net\(inputs\) cannot be called as scan\(samples, order\): too many positional"
    ):
        invoke(methods(Net(), "scan"), "scan", [np.zeros(3), 2])


def test_an_object_is_asked_what_it_takes_itself():
    """And not a method of it that happens to have a name of torch's or keras's."""

    class Own:
        def __call__(self, order, gain):
            return order

        def call(self, number):
            """Something else."""

        forward = call

    assert signatures.shown(Own()).endswith("Own(order, gain)")
    assert signatures.unknown_keywords(Own(), {"gain": 1}, 1) is None
    with pytest.raises(TypeError, match=r"Own\(order, gain\) cannot be called as matrices\(order\): missing"):
        invoke(methods(Own()), "matrices", [3])


def test_a_call_without_a_signature_speaks_for_itself():
    with pytest.raises(TypeError, match=r"^getattr expected at least 2 arguments, got 1$"):
        invoke({"matrices": getattr}, "matrices", [3])


def test_long_signatures_and_defaults_are_cut():
    def many(order, weights=np.zeros(100), **names):  # noqa: B008
        """Has a default that would fill the screen."""

    assert signatures.shown(many).endswith("many(order, weights=..., **names)")
    wide = eval(f"lambda {', '.join(f'argument_{i}' for i in range(40))}: 0")
    assert len(signatures.shown(wide)) < 200


class TestModules:
    def test_a_missing_module(self, here):
        with pytest.raises(LookupError, match=r"^No module named 'nowhere': it is not installed, nor on PYTHONPATH"):
            resolve("nowhere.module:f", {})

    def test_a_missing_part(self):
        with pytest.raises(LookupError, match=r"scipy has no module 'linlag'; did you mean linalg\?"):
            resolve("scipy.linlag:f", {})

    def test_a_file_of_that_name_lies_here(self, here):
        (here / "mine.py").write_text("f = 1")
        with pytest.raises(LookupError, match=r"a file mine.py lies in the working directory: name it as mine.py:attr"):
            resolve("mine:f", {})
        with pytest.raises(ValueError, match=r"target 'mine' is neither .*; a file mine.py lies"):
            resolve("mine", {})
        with pytest.raises(LookupError, match=r"mine.py is a module without a function named after a level"):
            resolve("mine.py", {})

    def test_a_folder_of_that_name_lies_here(self, here):
        (here / "folder").mkdir()
        with pytest.raises(
            LookupError, match="a folder folder lies in the working directory, which Python does not search"
        ):
            resolve("folder.mine:f", {})

    def test_what_it_imports_is_missing(self, here):
        (here / "needs.py").write_text("import nowhere_at_all")
        sys.path.insert(0, str(here))
        with pytest.raises(ImportError, match="needs imports nowhere_at_all, which is not installed"):
            resolve("needs:f", {})

    def test_a_file_of_a_package(self, here):
        (here / "pack").mkdir()
        (here / "pack" / "__init__.py").write_text("")
        (here / "pack" / "mine.py").write_text("from . import other")
        with pytest.raises(
            ImportError, match=f"part of a package, .*; name it as pack.mine:attr, with PYTHONPATH={here}"
        ):
            resolve("pack/mine.py:f", {})

    def test_a_missing_file(self, here):
        (here / "operators.py").write_text("")
        with pytest.raises(FileNotFoundError, match=r"no file operator.py; did you mean operators.py\?"):
            resolve("operator.py:f", {})

    @pytest.mark.parametrize("name", ["a/b:f", ".mod:f", "a b:f", "1:f"])
    def test_no_name_of_a_module(self, name):
        with pytest.raises(
            ValueError, match=f"{re.escape(repr(name[:-2]))} is no name of a module; a target is written as"
        ):
            resolve(name, {})

    @pytest.mark.parametrize("name", ["", ":", "a:", ":f", "hippox-leg"])
    def test_no_target(self, name):
        with pytest.raises(ValueError, match=r"is neither a known adapter .* nor written as package.module:attr"):
            resolve(name, {})

    def test_a_close_name_is_offered(self):
        with pytest.raises(ValueError, match=r"did you mean .*hippox-legs"):
            resolve("hippox-leg", {})


def test_adapters_take_no_keywords():
    with pytest.raises(TypeError, match="'s5-pytorch' is an adapter, which takes no --target-arg"):
        load({"target": "s5-pytorch", "arguments": {"x": 1}})


def test_a_number_is_no_target(file):
    with pytest.raises(TargetError, match="int object is neither callable nor has a method named after a level"):
        methods(resolve(f"{file}:number", {}))


def test_arguments_of_a_level_are_those_it_is_called_with():
    assert set(ARGUMENTS) == set(LEVELS) == set(INPUTS)
    signal, state = (1.0, 2.0), (1.0, 0.0)
    made = {
        "matrices": Order(), "factors": Order(), "scan": Signal(signal), "gradient": Signal(signal),
        "step": Transition(state, 1.0, 1), "timed_scan": TimedSignal(signal, signal), "batch_scan": Batch((signal,)),
        "resume": Resumption(state, signal, 1), "reconstruct": ReadOut(state, (0.5,)),
    }  # fmt: skip
    for level, names in ARGUMENTS.items():
        assert len(made[level].arguments(make_case("x", order=2))) == len(names), level


def test_the_words_reach_the_user(file):
    """Through the worker: one verdict says what is wrong, and every level is judged on its own."""
    report = verify.check(f"{file}:scaled", orders=(3,), checks=["matrices"])
    assert report.status == "error"
    assert "cannot be called as matrices(order): missing a required argument: 'gain'" in report.verdicts[0].message


def test_a_live_call_that_does_not_fit_is_explained_too():
    def legs(order, window):
        """Needs a window."""

    report = verify.check(legs, orders=(3,), checks=["matrices"])
    assert "legs(order, window) cannot be called as matrices(order)" in report.verdicts[0].message


def test_a_live_class_is_made_once():
    class Memory:
        made = 0

        def __init__(self):
            type(self).made += 1

        def matrices(self, order):
            n = np.arange(order)
            s = np.sqrt(2.0 * n + 1)
            return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s

    assert verify.check(Memory, orders=(3,), checks=["matrices"]).status == "pass"
    assert Memory.made == 1

    class Needy(Memory):
        def __init__(self, theta):
            """Needs a window."""

    report = verify.check(Needy, orders=(3,), checks=["matrices"])
    assert report.status == "error"
    assert "Needy(theta) cannot be called so: missing a required argument: 'theta'" in report.verdicts[0].message


def test_the_handler_answers(file):
    handler = load({"target": f"{file}:bound", "level": None})
    assert handler(operation="levels") == {"levels": ["matrices"]}
    answer = handler(operation="call", case=Case("x", order=3).to_json(), arguments=[3])
    assert answer["arrays"]["A"].shape == (3, 3)


def test_the_command_finds_a_package_of_the_working_directory(tmp_path):
    """Last, so that nothing which is installed is shadowed."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "mine.py").write_text("def f(order): return 1")
    (tmp_path / "numpy.py").write_text("raise RuntimeError('not the numpy that was meant')")
    command = [sys.executable, "-P", "-m", "verify.cli", "check", "package.mine:f", "--orders", "4", "--no-progress"]
    ended = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    assert "returned an int; expected a pair (A, B)" in ended.stdout
