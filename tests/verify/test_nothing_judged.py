"""What no check has judged is no pass; and what is right is not refused for what it was not asked."""

import json

import numpy as np
import pytest

import verify
from verify.campaign import EXIT
from verify.outputs import WRITERS


def legs(order):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s


def nonsense(*arguments):
    """The same at every call, so that only what compares values can tell."""
    *_, last = arguments
    order = last if isinstance(last, int) and not isinstance(arguments[0], np.ndarray) else 4
    return np.full(order, 9.0)


UNJUDGED = [
    ("step", "legs", {"method": "foh"}),
    ("resume", "legs", {"method": "trapezoid"}),
    ("timed_scan", "legt", {}),
    ("reconstruct", "lagt", {}),
]


@pytest.mark.parametrize(("level", "measure", "options"), UNJUDGED, ids=[row[0] for row in UNJUDGED])
def test_agreeing_with_itself_is_no_pass(level, measure, options):
    report = verify.check(nonsense, measure, level, orders=(4,), **options)
    assert (report.status, report.exit_code) == ("empty", EXIT["empty"]), report.counts
    beside = next(verdict for verdict in report.verdicts if verdict.check == "determinism")
    assert "nothing else could be judged here" in beside.message


def test_factors_that_nothing_judges_are_no_pass():
    report = verify.check(lambda order: (np.full(order, 7 + 0j), np.full(order, 3 + 0j)), "lmu", "factors", orders=(4,))
    assert report.status == "empty"


def test_checks_asked_for_by_name_stand_for_themselves(tmp_path):
    report = verify.check(lambda order: (legs(order)[0], 2 * legs(order)[1]), orders=(4, 8), checks=["determinism"])
    assert report.status == "pass"
    WRITERS["badge"](tmp_path / "badge.json", report)
    assert json.loads((tmp_path / "badge.json").read_text())["message"] == "undecided"


def test_a_badge_names_levels_only_where_they_were_judged(tmp_path):
    class Mixed:
        matrices = staticmethod(legs)
        step = staticmethod(lambda state, sample, k: np.full(len(state), 42.0))

    report = verify.check(Mixed(), method="foh", orders=(4, 8))
    WRITERS["badge"](tmp_path / "badge.json", report)
    assert json.loads((tmp_path / "badge.json").read_text())["message"] == "matrices: conforms at N = 4, 8"


@pytest.mark.parametrize("level", ["factors", "matrices"])
def test_the_largest_order_that_is_offered_is_judged(tmp_path, level):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n\n\ndef f(order):\n    return np.full((order, order), 7.0), np.full(order, 3.0)\n"
        "\n\ndef g(order):\n    return np.full(order, 7 + 0j), np.full(order, 3 + 0j)\n",
        encoding="utf-8",
    )
    function = "f" if level == "matrices" else "g"
    (tmp_path / "fixed.toml").write_text(
        f'target = "{tmp_path / "mine.py"}:{function}"\nmeasures = ["legs"]\norders = [1, 8]\n[{level}]\n',
        encoding="utf-8",
    )
    report = verify.check(str(tmp_path / "fixed.toml"), orders=(8,))
    key = "factors" if level == "factors" else "structure"
    assert {verdict.check: str(verdict.status) for verdict in report.verdicts}[key] == "FAIL"


def test_an_entry_about_a_case_excuses_no_target_that_is_gone(tmp_path):
    (tmp_path / "gone.py").write_text("import nowhere_at_all\n", encoding="utf-8")
    target = f"{tmp_path / 'gone.py'}:legs"
    (tmp_path / "expected.toml").write_text(
        f'[[expected]]\ntarget = "{target}"\nlevel = "matrices"\nreason = "B is doubled"\nlink = "x"\n',
        encoding="utf-8",
    )
    report = verify.check(target, orders=(4,), expected=tmp_path / "expected.toml")
    assert (report.status, report.exit_code) == ("error", 3)


def scan(samples, order):
    A, B = legs(order)
    unit = np.eye(order)
    state, states = samples[0] * unit[0], [samples[0] * unit[0]]
    for k in range(1, len(samples)):
        state = np.linalg.solve(unit - A / (2 * k), (unit + A / (2 * k)) @ state + B / k * samples[k])
        states.append(state)
    return np.array(states)


def test_a_scaling_of_its_own_is_undone_where_the_last_state_alone_is_given():
    T = 1 / (1.0 + np.arange(16))
    report = verify.check(
        lambda samples, order: T[:order] * scan(samples, order)[-1], level="scan", orders=(4, 8), convention="auto",
    )  # fmt: skip
    assert report.status == "pass", report.diagnosis


def test_a_late_scan_beside_right_matrices_is_a_convention():
    class Late:
        matrices = staticmethod(legs)

        def scan(self, samples, order):
            return np.vstack([np.zeros(order), scan(samples, order)[:-1]])

    report = verify.check(Late(), orders=(4, 8), convention="auto")
    assert report.status == "pass", report.diagnosis
    assert report.convention.shift == 1
    assert verify.check(Late(), orders=(4, 8)).status == "fail"


def test_what_is_drawn_to_make_a_fresh_object_is_no_side_effect(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "online.py").write_text(
        "import numpy as np\nimport torch\n\n\nclass Online:\n"
        "    def __init__(self, order):\n"
        "        self.unused, self.k, n = torch.nn.Linear(order, order), 0, np.arange(order)\n"
        "        s = np.sqrt(2.0 * n + 1)\n"
        "        self.A, self.B = -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s\n"
        "        self.state = np.zeros(order)\n\n"
        "    def update(self, u):\n"
        "        unit, k = np.eye(len(self.B)), self.k\n"
        "        if k == 0:\n"
        "            self.state = u * unit[0]\n"
        "        else:\n"
        "            right = (unit + self.A / (2 * k)) @ self.state + self.B / k * u\n"
        "            self.state = np.linalg.solve(unit - self.A / (2 * k), right)\n"
        "        self.k += 1\n"
        "        return self.state\n",
        encoding="utf-8",
    )
    (tmp_path / "loop.toml").write_text(
        f'target = "{tmp_path / "online.py"}:Online"\nconstruct.arguments = {{ order = "order" }}\n'
        '[scan]\ncall = "update"\nloop = true\narguments = ["sample"]\n',
        encoding="utf-8",
    )
    report = verify.check(str(tmp_path / "loop.toml"), orders=(4,))
    assert report.status == "pass", [v.message for v in report.verdicts if str(v.status) in ("FAIL", "ERROR")]


def test_an_order_that_nobody_can_judge_is_refused():
    with pytest.raises(ValueError, match="order is 99999999999; accepted: an integer from 1 to 4096"):
        verify.check(legs, orders=(99_999_999_999,))
