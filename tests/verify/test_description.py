"""Described targets: every kind of signature, every field strict, and no defect hidden."""

import re
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from described_targets import transition
from hypothesis import given
from hypothesis import strategies as st

import verify
from verify.adapters.described import Described
from verify.adapters.description import CASE, FIELDS, LEVEL_FIELDS, DescriptionError, is_description, read
from verify.adapters.layouts import ANSWERS, AXES, GIVEN, TENSORS, Handed, given_axes, lay, parse, unlay
from verify.arrays import NotNumbers, Numbers
from verify.candidates import right_model
from verify.case import ARGUMENTS, LEVELS
from verify.cases import make_case
from verify.checks import CHECKS, QUICK
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.result import LiveTarget, Wrapped
from verify.verdict import Status

TARGETS = Path(__file__).with_name("described_targets.py")
SMALL = replace(QUICK, examples=2, length=12)


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


@pytest.fixture
def described(tmp_path):
    """Text of a description -> the target, in this process."""

    def make(text):
        file = tmp_path / "description.toml"
        file.write_text(text.replace("here:", f"{TARGETS}:"), encoding="utf-8")
        return InProcess(Described(read(str(file))))

    path = list(sys.path)
    yield make
    sys.path[:] = path


class InProcess(Wrapped):
    """A described target without a worker, to ask it much."""

    def __init__(self, told):
        super().__init__(LiveTarget(told.bind, name=told.key, bind=True))
        self.told = told
        told.load()

    def levels(self):
        return self.told.levels

    def why_not(self, case):
        return self.told.why_not(case)

    def call(self, case, *arguments):
        return self._target.call(case, *arguments)


def judged(target, oracle, measure="legs", checks=None, orders=(1, 4), **options):
    """Statuses of every check at every level that is described; what is refused, refused."""
    found = {}
    for level in target.levels():
        for order in orders:
            case = make_case(target.name, measure, order=order, level=level, **options)
            reason = target.why_not(case)
            if reason is not None:
                return reason
            for key in checks or ("matrices", "ode", "step", "scan", "batch", "linearity", "determinism"):
                check = CHECKS[key]
                if level in check.levels and check.why_not(case) is None:
                    verdict = check.run(case, oracle, target, SMALL)
                    found[key, level, order] = (verdict.status, verdict.message)
    assert found
    return {status for status, _ in found.values()} if all(m == "" for _, m in found.values()) else found


PASSED = {Status.PASS}

S4 = """
target = "here:transition"
measures = ["legs", "legt"]
[words.measure]
legs = "legs"
legt = "window"
[matrices]
arguments = {measure = "measure", N = "order", timescale = "theta"}
"""
STEP = """
target = "here:invariant_step"
measures = ["legt"]
[words.method]
bilinear = "tustin"
zoh = "hold"
[step]
arguments = {x_t = "sample", m = "state", dt = "dt", rule = "method", window = "theta"}
answer = 1
"""
MODULE = """
target = "here:Module"
tensor = "torch"
construct.arguments = {hidden_size = "order", dtype = "dtype"}
[scan]
arguments = ["samples"]
layout = {samples = "L B", answer = "L B N"}
answer = 0
[batch_scan]
arguments = ["samples"]
layout = {samples = "L B", answer = "L B N"}
answer = 0
"""


class TestSignatures:
    def test_a_function_of_s4(self, described, oracle):
        target = described(S4)
        for measure, options in (("legs", {}), ("legt", {"theta": 0.3}), ("legt", {"theta": 4})):
            assert judged(target, oracle, measure, **options) == PASSED

    def test_one_description_serves_several_windows_rules_and_steps(self, described, oracle):
        target = described(STEP)
        for options in ({"theta": 0.5}, {"theta": 2, "method": "zoh"}, {"dt": 0.25}):
            assert judged(target, oracle, "legt", **options) == PASSED

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_a_module_of_torch(self, described, oracle, dtype):
        pytest.importorskip("torch")
        assert judged(described(MODULE), oracle, dtype=dtype) == PASSED

    def test_a_module_with_an_initial_state_and_the_last_one_alone(self, described, oracle):
        pytest.importorskip("torch")
        text = MODULE.replace("[batch_scan]", "[resume]").replace(
            'arguments = ["samples"]', 'arguments = ["samples", "initial"]'
        )
        text = text.replace('"L B", answer = "L B N"', '"L B", initial = "B N", answer = "B N"').replace(
            "answer = 0", "answer = 1"
        )
        target = described(text.partition("[resume]")[0])
        assert judged(target, oracle) == PASSED

    def test_parts_in_another_order_nested_and_as_a_row(self, described, oracle):
        text = """
            target = "here:swapped"
            matrices.answer = {A = ["system", "pair", 1], B = ["system", "pair", 0]}
            matrices.layout = {B = "1 N"}
        """
        assert judged(described(text), oracle) == PASSED

    def test_a_class_that_has_nothing_to_call(self, described, oracle):
        text = """
            target = "here:System"
            matrices.answer = {A = "transition", B = "input"}
        """
        assert judged(described(text), oracle) == PASSED

    @pytest.mark.parametrize("loop", ["", "loop = true"])
    def test_a_step_that_counts_from_one_with_a_batch_axis(self, described, oracle, loop):
        text = f"""
            target = "here:scale_step"
            [{"scan" if loop else "step"}]
            arguments = ["sample", "state", "k"]
            layout = {{sample = "1 1", state = "B N", answer = "B N"}}
            index = 1
            {loop}
        """
        assert judged(described(text), oracle) == PASSED

    def test_an_online_object(self, described, oracle):
        text = """
            target = "here:Online"
            construct.arguments = {N = "order"}
            [scan]
            loop = true
            call = "push"
            arguments = ["sample"]
            read = "coefficients"
            layout.answer = "1 N"
        """
        assert judged(described(text), oracle) == PASSED
        late = described(text + "[construct.constants]\nclock = 1")
        assert judged(late, oracle, orders=(4,), checks=["scan"])["scan", "scan", 4][0] is Status.FAIL

    def test_states_of_different_shapes(self, described):
        text = """
            target = "here:widening"
            [scan]
            loop = true
            arguments = ["state"]
        """
        result = described(text).call(make_case("x", level="scan", order=2), np.ones(3), 2)
        assert result.malformed == "the states have different shapes: (3,), (4,), (5,)"

    def test_lists(self, described, oracle):
        text = """
            target = "here:Rows"
            tensor = "list"
            [scan]
            call = "states"
            arguments = {values = "samples", size = "order"}
        """
        assert judged(described(text), oracle) == PASSED
        assert judged(described(text), oracle, dtype="float32") == PASSED

    def test_jax(self, described, oracle):
        pytest.importorskip("jax")
        text = """
            target = "here:compiled"
            tensor = "jax"
            orders = [4, 4]
            scan.arguments = ["samples"]
            scan.answer = ["final", 1]
        """
        assert judged(described(text), oracle, dtype="float32", orders=(4,), checks=["scan"]) == PASSED

    def test_what_jax_would_round_is_not_handed_over(self, described):
        jax = pytest.importorskip("jax")
        text = 'target = "here:careless"\ntensor = "jax"\nscan.arguments = ["samples", "order"]'
        case = make_case("x", level="scan", order=2)
        refused = pytest.raises(
            verify.result.TargetError, match=r"jax makes float32 of float64, .*: set JAX_ENABLE_X64=1, or judge"
        )
        with jax.enable_x64(False), refused:  # as jax is where nobody has told it otherwise
            described(text).call(case, np.ones(3), 2)

    def test_a_library_that_has_to_be_asked(self, described, oracle, monkeypatch):
        """TensorFlow, by its documented interface: ``convert_to_tensor``, ``numpy()``, dtypes with a name."""

        class EagerTensor:
            def __init__(self, values):
                self._values = np.array(values)
                self.shape = list(self._values.shape)
                self.dtype = types.SimpleNamespace(name=self._values.dtype.name)

            def numpy(self):
                return self._values

        library = types.ModuleType("tensorflow")
        library.convert_to_tensor, library.float64, library.float32 = EagerTensor, "float64", "float32"
        monkeypatch.setitem(sys.modules, "tensorflow", library)
        text = 'target = "here:eager"\ntensor = "tensorflow"\nscan.arguments = ["samples", "order"]'
        for dtype in ("float64", "float32"):
            assert judged(described(text), oracle, dtype=dtype) == PASSED


class TestWhatIsRefused:
    def test_what_it_is_not_told(self, described, oracle):
        target = described(S4.replace(', timescale = "theta"', ""))
        assert judged(target, oracle, "legt", theta=1) == PASSED
        assert "is called without its theta: only one can be checked" in judged(target, oracle, "legt", theta=2)
        target = described(
            STEP.replace(', rule = "method"', "").partition("[words.method]")[0]
            + STEP.partition('zoh = "hold"')[2].replace(', rule = "method"', "")
        )
        assert judged(target, oracle, "legt") == PASSED
        assert "is called without its method" in judged(target, oracle, "legt", method="zoh")

    def test_what_it_has_no_word_for(self, described, oracle):
        assert "has no word for the method euler; it has bilinear, zoh" in judged(
            described(STEP), oracle, "legt", method="euler"
        )

    def test_what_it_says_it_has_not(self, described, oracle):
        text = S4.replace('["legs", "legt"]', "{legt = {theta = 2}}") + "orders = [2, 8]\n"
        text = text.replace("orders = [2, 8]\n", "").replace("measures", "orders = [2, 8]\nmeasures", 1)
        target = described(text)
        assert judged(target, oracle, "legt", theta=2, orders=(2,)) == PASSED
        assert "has no legs" in judged(target, oracle)
        assert "with theta = 2 only" in judged(target, oracle, "legt", theta=1)
        assert "takes orders from 2 to 8" in judged(target, oracle, "legt", theta=2, orders=(16,))

    def test_a_parameter_by_place_that_the_measure_has_not(self, described, oracle):
        text = 'target = "here:transition"\nmatrices.arguments = ["measure", "order", "theta"]'
        assert "is given theta by place, and legs N=1 matrices float64 has none" in judged(described(text), oracle)

    def test_float32_alone(self, described, oracle):
        pytest.importorskip("torch")
        target = described('dtype = "float32"\n' + MODULE)
        assert judged(target, oracle, dtype="float32") == PASSED
        assert "is handed float32: what is judged in float64 would be rounded" in judged(target, oracle)


class TestAnswersOfAnotherForm:
    @pytest.mark.parametrize(
        ("answer", "layout", "said"),
        [
            ('["x", 0]', '"L B N"', "looked for at 'x', and the target returned a list of 3"),
            ("7", '"L N"', "looked for at 7, and the target returned a list of 3"),
            ("[0, 0, 0]", '"L N"', "looked for at 0, and the target returned a float"),
            ("0", '"L N"', r"is one array of shape \(2\), and its description says L N|is one array of shape \(2,\)"),
            ("", '"L B N"', r"is one array of shape \(3, 2\), and its description says L B N, where B has length 1"),
            ("", '"1 N"', r"is one array of shape \(3, 2\), and its description says 1 N, where 1 has length 1"),
        ],
    )
    def test_is_a_wrong_answer_with_a_reason(self, described, answer, layout, said):
        text = f"""
            target = "here:Rows"
            tensor = "list"
            [scan]
            call = "states"
            layout.answer = {layout}
            {f"answer = {answer}" if answer else ""}
        """
        result = described(text).call(make_case("x", level="scan", order=2), np.ones(3), 2)
        assert re.search(said, result.malformed), result.malformed

    def test_an_array_is_not_cut(self, described):
        """A place in a tuple is a place; one in an array would be a part of the answer."""
        pytest.importorskip("torch")
        text = MODULE.replace("answer = 0", "answer = [0, -1]")
        result = described(text).call(make_case("x", level="scan", order=2), np.ones(3), 2)
        assert "looked for at -1, and the target returned one array of shape (3, 1, 2)" in result.malformed

    def test_arguments_that_do_not_fit(self, described):
        target = described('target = "here:transition"\nmatrices.arguments = ["order"]')
        with pytest.raises(
            verify.result.TargetError, match=r"transition\(measure, N, \*\*options\) cannot be called so: missing"
        ):
            target.call(make_case("x"), 4)
        target = described('target = "here:Online"\nconstruct.arguments = {M = "order"}\nscan.call = "push"')
        with pytest.raises(verify.result.TargetError, match=r"Online\(N, clock=0\) cannot be called so: missing .*'N'"):
            target.call(make_case("x", level="scan"), np.ones(3), 4)


class TestNothingIsHidden:
    @pytest.mark.parametrize("name", ["careless", "growing"])
    def test_a_list_that_is_written_to(self, described, name):
        target = described(f'target = "here:{name}"\ntensor = "list"\n[scan]')
        assert target.call(make_case("x", level="scan", order=2), np.ones(3), 2).input_changed

    @pytest.mark.parametrize(
        ("tensor", "dtype"), [("numpy", ""), ("numpy", 'dtype = "float64"'), ("torch", ""), ("list", "")]
    )
    def test_an_array_that_is_written_to(self, described, tensor, dtype):
        pytest.importorskip("torch")
        name = "careless" if tensor == "list" else "careless_array"
        text = f'target = "here:{name}"\ntensor = "{tensor}"\n{dtype}\n[scan]\nlayout.samples = "L 1"'
        if tensor == "list":
            text = text.replace('"L 1"', '"L"')
        for kind in ("float64", "float32"):
            case = make_case("x", level="scan", order=2, dtype=kind)
            assert described(text).call(case, np.ones(3, dtype=kind), 2).input_changed

    def test_one_that_is_not(self, described):
        pytest.importorskip("torch")
        assert not described(MODULE).call(make_case("x", level="scan", order=2), np.ones(3), 2).input_changed

    def test_an_object_is_kept_for_its_order(self, described, oracle):
        """What an object remembers from call to call must show: it is not made afresh for each."""
        text = """
            target = "here:Online"
            construct.arguments = ["order"]
            [scan]
            loop = true
            call = "push"
            arguments = ["sample"]
            read = "coefficients"
            layout.answer = "1 N"
        """
        told = described(text).told
        case = make_case("x", level="step", order=3)
        level = told._description.levels["scan"]
        assert told._object(level, case, fresh=False) is told._object(level, case, fresh=False)
        assert told._object(level, case, fresh=True) is not told._object(level, case, fresh=True)

    def test_a_square_matrix_is_never_transposed(self):
        with pytest.raises(ValueError, match="accepted: an order of N N"):
            parse("N", ANSWERS["matrices"]["A"])
        layout, axes = parse("B N N", ANSWERS["matrices"]["A"])
        A = transition("legs", 3)[0]
        assert np.array_equal(unlay(Numbers(A[None], "float64"), axes, layout, "A").array, A)

    def test_nothing_is_rounded_on_the_way(self):
        with pytest.raises(TypeError, match="float32 would round what the target is given"):
            Handed(np.array([0.1]), ("L",), ("L",), "numpy", "float32")


DRESSED = """
target = "dressed:IMPLEMENTATION"
words.measure = {legs = "S", legt = "T", lagt = "G"}
[construct.arguments]
size = "order"
kind = "measure"
rule = "method"
type = "dtype"
theta = "theta"
h = "dt"
a = "alpha"
b = "beta"
[matrices]
call = "system"
arguments = {n = "order"}
answer = {A = ["parts", 1], B = ["parts", 0]}
layout = {B = "1 N", A = "1 N N"}
[factors]
call = "split"
arguments = {n = "order"}
answer = {Lambda = "w", P = "p", B = "b", V = "V"}
[step]
call = "advance"
arguments = {x = "sample", c = "state", t = "k"}
layout = {state = "B N", sample = "1 1", answer = "N 1"}
index = 1
answer = [1, "c"]
[scan]
call = "run"
arguments = ["order", "samples"]
layout = {samples = "1 L B", answer = "N 1 L"}
[gradient]
call = "slope"
arguments = ["order", "samples"]
layout = {answer = "L N"}
[batch_scan]
call = "runs"
arguments = {n = "order", xs = "samples", length = "length"}
layout = {samples = "L B", answer = "N L B"}
[timed_scan]
call = "timed"
arguments = ["timestamps", "samples", "order"]
[resume]
call = "go_on"
arguments = {xs = "samples", c = "state", t = "k"}
layout = {samples = "L 1", answer = "1 L N"}
index = 1
[reconstruct]
call = "read"
arguments = {at = "points", c = "state"}
layout = {points = "1 P", answer = "P 1"}
"""


def dress(alter, oracle):
    """A class with foreign names, places and layouts around a model, which gets its case from the description alone."""

    class Dressed:
        def __init__(self, size, kind, rule, type, theta=None, h=None, a=None, b=None):  # noqa: A002
            measure = {"S": "legs", "T": "legt", "G": "lagt"}[kind]
            case = make_case("x", measure, order=size, method=rule, dtype=type.name, theta=theta, dt=h, alpha=a, beta=b)
            self._model = alter(right_model(case, oracle))

        def system(self, n):
            A, B = self._model.matrices(n)
            return types.SimpleNamespace(parts=(B[None], A[None]))

        def split(self, n):
            answer = self._model.factors(n)
            parts = answer if isinstance(answer, dict) else dict(zip(("Lambda", "P", "B", "V"), answer, strict=True))
            return {
                new: parts[old] for new, old in (("w", "Lambda"), ("p", "P"), ("b", "B"), ("V", "V")) if old in parts
            }

        def advance(self, c, x, t):
            return None, {"c": self._model.step(c[0], float(x[0, 0]), t - 1)[..., None]}

        def run(self, n, samples):
            return np.atleast_1d(self._model.scan(samples[0, :, 0], n)).T[..., None, :]

        def slope(self, n, samples):
            return self._model.gradient(samples, n).T

        def runs(self, xs, n, length):
            assert len(xs) == length
            return self._model.batch_scan(xs.T, n).transpose(2, 1, 0)

        def timed(self, timestamps, samples, n):
            return self._model.timed_scan(samples, timestamps, n)

        def go_on(self, c, xs, t):
            return self._model.resume(c, xs[:, 0], t - 1)[None]

        def read(self, c, at):
            return self._model.reconstruct(c, at[0])[:, None]

    return Dressed


def cells():
    for key, check in CHECKS.items():
        for level in check.levels:
            for measure in ("legs", "legt", "lagt"):
                case = make_case("model", measure, order=4, level=level)
                if check.why_not(case) is None:
                    yield pytest.param(key, case, id=f"{key}-{level}-{measure}")
                    break


@pytest.mark.parametrize(("key", "case"), list(cells()))
def test_a_defect_is_found_under_its_description_and_a_right_model_is_not_refused(
    key, case, oracle, described, monkeypatch
):
    """Verdicts are those of the model itself, whatever its names, places, layouts and lists."""
    module = types.ModuleType("dressed")
    monkeypatch.setitem(sys.modules, "dressed", module)
    check = CHECKS[key]

    def asked(alter):
        module.IMPLEMENTATION = dress(alter, oracle)
        return check.run(case, oracle, described(DRESSED), SMALL)

    right = asked(lambda model: model)
    assert right.status is Status.PASS, right.message
    mutants = [
        defect
        for defect in check.mutants(case)
        if defect.remembering is None and defect.key != "device_path"  # a description tells no device: it has one
    ]
    for defect in mutants[:: max(1, len(mutants) // 3)]:
        plain = check.run(case, oracle, defect.target(case, oracle), SMALL)
        dressed = asked(defect.alter)
        assert (dressed.status, plain.status) == (Status.FAIL, Status.FAIL), (defect.key, dressed.message)


BASE = 'target = "here:transition"\n'
SCAN = BASE + "[scan]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", r"description.toml is no TOML: "),
        ("a = 1\n[b]\ntarget = 'x:y'", r"has no target beside 'a'; give target = \"package.module:attr\""),
        ("target = 'x.py'\n[scan]", r"target is 'x.py'; accepted: package.module:attr or path/to/file.py:attr"),
        ("target = 3\n[scan]", r"target is 3; accepted: a text"),
        (BASE, r"describes no level; accepted tables: matrices, step"),
        (BASE + "[scann]", r"has an unknown field 'scann' \(did you mean scan\?\); accepted: target, measures"),
        (BASE + "sign = -1\n[scan]", r"has an unknown field 'sign'"),
        (BASE + "scan = 3", r"scan is 3; accepted: a table"),
        (SCAN + "args = 1", r"\[scan\] has an unknown field 'args' \(did you mean arguments\?\); accepted"),
        (SCAN + "arguments = ['sampel']", r"\[scan\]: arguments has 'sampel' \(did you mean samples\?\); accepted"),
        (SCAN + "arguments = ['k']", r"arguments has 'k'; accepted: samples, order, measure"),
        (SCAN + "arguments = {x = 1}", r"arguments has 1; accepted: samples"),
        (SCAN + "arguments = 'samples'", r"arguments is 'samples'; accepted: a list of names, or a table"),
        (SCAN + "constants = 1", r"constants is 1; accepted: a table of keywords"),
        (SCAN + "arguments = {N = 'order'}\nconstants = {N = 1}", r"constants has 'N', which arguments has too"),
        (BASE + "[construct]\narguments = ['samples']\n[scan]", r"arguments has 'samples'; accepted: order"),
        (BASE + "[construct]\nmake = 1\n[scan]", r"\[construct\] has an unknown field 'make'; accepted: arguments"),
        (SCAN + "layout = {samples = 'L X'}", r"\[scan\] layout: samples has the axis 'X'; accepted: L, N, P"),
        (SCAN + "layout = {answer = 'N L B B'}", r"answer is 'N L B B'; accepted: an order of L N or N"),
        (SCAN + "layout = {samples = 'N'}", r"samples is 'N'; accepted: an order of L"),
        (SCAN + "layout = {samples = 1}", r"samples is 1; accepted: a text"),
        (SCAN + "layout = {output = 'L'}", r"layout has an unknown array 'output'; accepted: samples, initial, answer"),
        (BASE + "[batch_scan]\nlayout = {samples = 'L'}", r"samples is 'L'; accepted: an order of B L"),
        (BASE + "[matrices]\nlayout = {A = 'N'}", r"A is 'N'; accepted: an order of N N"),
        (SCAN + "index = 1", r"index is given, and arguments does not hand over k"),
        (BASE + "[step]\narguments = ['state']\nindex = 1", r"index is given, and arguments does not hand over k"),
        (SCAN + "arguments = ['order']\nlayout = {samples = 'L'}", r"has 'samples', which arguments does not"),
        (BASE + "words.measure = {legs = 'x'}\n[scan]", r"words has measure, which no arguments hand over"),
        (BASE + "measures = [1]\n[scan]", r"measures has '1'; accepted: legs"),
        (BASE + "[step]\nindex = 2", r"index is 2; accepted: 0 or 1"),
        (BASE + "[step]\nindex = true", r"index is True; accepted: 0 or 1"),
        (BASE + "[step]\nloop = true", r"loop is True; accepted: true or false, in scan"),
        (SCAN + "read = 'x'", r"read is given without loop = true"),
        (BASE + "tensor = 'mlx'\n[scan]", r"tensor is 'mlx'; accepted: numpy, torch, jax, tensorflow, list"),
        (BASE + "dtype = 'float16'\n[scan]", r"dtype is 'float16'; accepted: float64, float32"),
        (BASE + "measures = ['hippo']\n[scan]", r"measures has 'hippo'; accepted: legs, legt"),
        (BASE + "measures = []\n[scan]", r"measures is {}; accepted: a list of measures"),
        (BASE + "measures = {legt = {theta = -1}}\n[scan]", r"measures has a parameter that is none: theta is -1; "),
        (BASE + "measures = {legs = {theta = 1}}\n[scan]", r"has legs with .*; accepted: a table of no parameter"),
        (BASE + "methods = ['tustin']\n[scan]", r"methods has a rule that is none: method is 'tustin'; acc"),
        (BASE + "methods = 'zoh'\n[scan]", r"methods is 'zoh'; accepted: a list of rules"),
        (BASE + "orders = [3]\n[scan]", r"orders is \[3\]; accepted: the smallest and the largest"),
        (BASE + "orders = [8, 4]\n[scan]", r"orders is \[8, 4\]; accepted"),
        (BASE + "[words.method]\ntustin = 'x'\n[scan]", r"\[words\] method: tustin is no rule: "),
        (BASE + "[words.measure]\nx = 'x'\n[scan]", r"\[words\] measure: x is no measure; accepted: legs"),
        (BASE + "[words.order]\nx = 'x'\n[scan]", r"\[words\] has an unknown field 'order'; accepted: measure, method"),
        (BASE + "[matrices]\nanswer = 1", r"answer is 1; accepted: a table with A, B, and where each is"),
        (BASE + "[matrices]\nanswer = {A = 1}", r"answer is .*; accepted: a table with A, B"),
        (SCAN + "answer = []", r"answer is \[\]; accepted: a place such as 1, a key or attribute"),
        (SCAN + "answer = true", r"answer is True; accepted: a place"),
        (BASE + "[factors]\nlayout = {P = 'R N'}", r"layout has parts, and answer does not say where that is"),
        (BASE + "[factors]\nanswer = {Lambda = 0, B = 1}\nlayout = {P = 'R N'}", r"layout has P, and answer does not"),
    ],
)  # fmt: skip
def test_every_field_is_strict(tmp_path, text, said):
    file = tmp_path / "description.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DescriptionError, match=said) as error:
        read(str(file))
    assert str(error.value).startswith(str(file))


def test_a_program_is_no_description():
    """Whatever its last argument is called."""
    assert is_description("a.toml")
    assert is_description("a/b.toml:name")
    assert not is_description("exec:./program options.toml")
    assert not is_description("a.tomlx")


def test_several_descriptions_in_one_file(tmp_path):
    file = tmp_path / "several.toml"
    file.write_text('[one]\ntarget = "a:b"\n[one.scan]\n[two]\ntarget = "c.py:d"\n[two.step]\n', encoding="utf-8")
    assert read(f"{file}:one").target == "a:b"
    assert read(f"{file}:two").target == f"{tmp_path / 'c.py'}:d"
    for name, said in (
        (f"{file}", "it describes several; name one as .*:NAME, with NAME one of one, two"),
        (f"{file}:three", "it has no 'three'; name one as .*:NAME, with NAME one of one, two"),
        (f"{tmp_path / 'none.toml'}", "No such file or directory; a description is a TOML file"),
        (f"{tmp_path}.toml:x", "No such file or directory"),
    ):
        with pytest.raises(DescriptionError, match=said):
            read(name)
    file.write_text('[one]\ntarget = "a:b"\n[one.scan]\nlayout.x = "L"', encoding="utf-8")
    assert read.__doc__
    with pytest.raises(DescriptionError, match=r"several.toml: \[one\] scan layout has an unknown array 'x'"):
        read(str(file))
    file.write_text('target = "a:b"\n[scan]', encoding="utf-8")
    with pytest.raises(DescriptionError, match="describes one target, which has no name; name it as"):
        read(f"{file}:one")


@given(st.data())
def test_a_layout_is_undone_exactly(data):
    level = data.draw(st.sampled_from(LEVELS))
    part = data.draw(st.sampled_from(list(ANSWERS[level])))
    axes = data.draw(st.sampled_from(ANSWERS[level][part]))
    order = list(axes) if len(set(axes)) < len(axes) else data.draw(st.permutations(axes))
    for extra in data.draw(st.lists(st.sampled_from(["1", "B"] if "B" not in axes else ["1"]), max_size=3)):
        if extra != "B" or "B" not in order:
            order.insert(data.draw(st.integers(0, len(order))), extra)
    layout, found = parse(" ".join(order), ANSWERS[level][part])
    assert found == axes
    sizes = {axis: data.draw(st.integers(0, 4)) for axis in AXES}
    array = np.random.default_rng(0).random([sizes[axis] for axis in axes])
    laid = lay(array, axes, layout)
    assert np.array_equal(unlay(Numbers(laid, ""), axes, layout, "x").array, array)
    if laid.ndim != array.ndim:
        with pytest.raises(NotNumbers, match="its description says"):
            unlay(Numbers(array, ""), axes, layout, "x")


def test_layouts_know_every_level_and_argument():
    assert set(ANSWERS) == set(LEVELS)
    arrays = {name for names in ARGUMENTS.values() for name in names} - {"order", "k"}
    assert arrays <= set(GIVEN)
    assert given_axes("samples", "batch_scan") == ("B", "L")


def test_the_documentation_names_every_field():
    page = (TARGETS.parents[2] / "docs" / "targets.md").read_text(encoding="utf-8")
    for fields in (FIELDS, LEVEL_FIELDS, CASE, TENSORS, AXES):
        for name in fields:
            assert f"`{name}`" in page, name


class TestThroughTheWorker:
    def test_a_description_is_a_target(self, tmp_path):
        (tmp_path / "mine.py").write_text(TARGETS.read_text(encoding="utf-8"), encoding="utf-8")
        (tmp_path / "mine.toml").write_text(S4.replace("here:", "mine.py:"), encoding="utf-8")
        report = verify.check(
            str(tmp_path / "mine.toml"), "legt", theta=3, orders=(3,), checks=["matrices", "equivariance"]
        )
        assert report.status == "pass"
        assert {v.check: v.status for v in report.verdicts} == dict.fromkeys(("matrices", "equivariance"), Status.PASS)

    def test_what_cannot_be_loaded_is_said_once(self, tmp_path):
        (tmp_path / "mine.toml").write_text('target = "mine.py:f"\n[scan]', encoding="utf-8")
        report = verify.check(str(tmp_path / "mine.toml"), orders=(3, 4))
        assert [v.check for v in report.verdicts] == ["load"]
        assert f"no file {tmp_path / 'mine.py'}" in report.verdicts[0].message

    def test_it_takes_no_keywords(self, tmp_path):
        (tmp_path / "mine.toml").write_text('target = "mine.py:f"\n[scan]', encoding="utf-8")
        report = verify.check(str(tmp_path / "mine.toml"), orders=(3,), target_arg={"x": 1})
        assert "is a description, which has its own constants and takes no --target-arg" in report.verdicts[0].message

    def test_a_wrong_description_is_wrong_usage(self, tmp_path):
        from typer.testing import CliRunner

        from verify.cli import app

        (tmp_path / "mine.toml").write_text('target = "mine.py:f"\n[scna]', encoding="utf-8")
        for command in ("check", "identify"):
            answer = CliRunner().invoke(app, [command, str(tmp_path / "mine.toml")])
            assert answer.exit_code == 2
            assert "has an unknown field 'scna' (did you mean scan?)" in answer.output
