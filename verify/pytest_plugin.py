"""The pytest plugin: suite and seed of our checks, their marker, and the count of those that reached a verdict.

pytest loads it wherever hippo-verify is installed, so it imports nothing that a suite without our checks does not need.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from verify.coverage import Coverage, Requirement
    from verify.parametrize import TargetCheck

SUITES = ("quick", "full")
SHOWN = 5
"""Reasons of skipped checks listed one by one."""
NOT_CALLED = "the test did not call its check"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the command line, each with a key of the configuration file for its default."""
    group = parser.getgroup("hippo-verify", "checks of HiPPO implementations")
    for option, key, metavar, text in (
        ("--hippo-suite", "hippo_suite", "quick|full", "how much the checks try (default: quick)"),
        ("--hippo-seed", "hippo_seed", "N", "seed of the inputs that checks draw (default: 0)"),
        (
            "--require-coverage",
            "hippo_require_coverage",
            "VALUE",
            "fail unless this many checks reached a verdict: a number, or a share of those selected, such as 90%%",
        ),
    ):
        group.addoption(option, metavar=metavar, default=None, help=text)
        parser.addini(key, f"{text.replace('%%', '%')}; overridden by {option}", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Read the options.

    Raises:
        pytest.UsageError: a value that is not accepted.
    """
    config.addinivalue_line(
        "markers",
        "hippo(target, check, measure, level, order): one check of hippo-verify; "
        "select with -m \"hippo(check='scan')\"",
    )
    name, suite = _given(config, "--hippo-suite", "hippo_suite")
    if suite not in (None, *SUITES):
        raise pytest.UsageError(f"{name} is {suite!r}; accepted: {', '.join(SUITES)}")
    name, seed = _given(config, "--hippo-seed", "hippo_seed")
    try:
        number = int("0" if seed is None else seed)
    except ValueError:
        raise pytest.UsageError(f"{name} is {seed!r}; accepted: an integer") from None
    name, required = _given(config, "--require-coverage", "hippo_require_coverage")
    requirement = None
    if required is not None:
        from verify.coverage import Requirement  # noqa: PLC0415

        try:
            requirement = Requirement.parse(required, name)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(Tally(suite or SUITES[0], number, requirement), "hippo-verify tally")


def _given(config: pytest.Config, option: str, key: str) -> tuple[str, str | None]:
    """Where a value comes from, and the value or None; the command line comes before the configuration file."""
    value = config.getoption(option)
    return (option, value) if value is not None else (key, str(config.getini(key)).strip() or None)


def _check(item: pytest.Item) -> TargetCheck | None:
    """The check that a test is about, or None."""
    home = sys.modules.get("verify.parametrize")  # who has not imported it has none
    callspec = getattr(item, "callspec", None)
    if home is None or callspec is None:
        return None
    return next((value for value in callspec.params.values() if isinstance(value, home.TargetCheck)), None)


class Tally:
    """Hands suite and seed to the checks, and counts what became of them; under pytest-xdist the controller counts."""

    def __init__(self, suite: str, seed: int, required: Requirement | None) -> None:
        self.suite = suite
        self.seed = seed
        self.required = required
        self.selected = 0
        self.found: dict[str, dict[str, Any]] = {}

    @property
    def coverage(self) -> Coverage:
        """What was decided of what was selected."""
        from verify.coverage import Coverage  # noqa: PLC0415

        return Coverage.of((record["status"] for record in self.found.values()), self.required, self.selected)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Mark our tests, before ``-m`` selects."""
        check = _check(item)
        if check is not None:
            case = check.case
            item.add_marker(
                pytest.mark.hippo(
                    target=case.target, check=check.key, measure=case.measure, level=case.level, order=case.order
                )
            )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count what is left after selection."""
        self.selected = sum(_check(item) is not None for item in session.items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Give a check what the command line says."""
        check = _check(item)
        if check is not None:
            check.prepare(self.suite, self.seed)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
        """Put the verdict on the report, which travels from the worker processes of pytest-xdist."""
        outcome = yield
        check = _check(item)
        if check is None or not (call.when == "call" or (call.when == "setup" and call.excinfo is not None)):
            return
        report = outcome.get_result()
        verdict = check.verdict
        if verdict is not None:
            status, reason, ratio = str(verdict.status), verdict.message, verdict.ratio
            if hasattr(report, "wasxfail") and status in ("PASS", "FAIL"):
                status = {"PASS": "UNEXPECTED_PASS", "FAIL": "EXPECTED_FAIL"}[status]
        elif report.skipped:
            place = report.longrepr
            status, ratio = "SKIPPED", None
            reason = str(place[2] if isinstance(place, tuple) else place).removeprefix("Skipped: ")
        else:
            status, reason, ratio = "NO VERDICT", NOT_CALLED if report.passed else f"{call.when} failed", None
        report.hippo_verify = {
            "status": status, "reason": reason, "ratio": ratio, "suite": check.suite, "seed": check.seed,
        }  # fmt: skip

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the last word on every test, whichever process ran it and however often."""
        record = getattr(report, "hippo_verify", None)
        if record is not None:
            self.found[report.nodeid] = record

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of pytest-xdist ended: it says how many checks were selected; each of them has collected all."""
        self.selected = max(self.selected, getattr(node, "workeroutput", {}).get("hippo_selected", 0))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Too few verdicts fail a run that is well otherwise."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["hippo_selected"] = self.selected
        elif (
            self.required is not None
            and session.exitstatus == pytest.ExitCode.OK
            and not session.config.option.collectonly
            and not self.coverage.met
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """How many checks ran, why others did not, and which came closest to its limit."""
        if config.option.collectonly or not (self.found or self.selected or self.required):
            return
        terminalreporter.write_sep("=", "hippo-verify")
        for line in self.summary():
            terminalreporter.write_line(line)
        coverage = self.coverage
        if coverage.shortfall:
            terminalreporter.write_line(f"coverage is too small: {coverage.shortfall}", red=True)

    def summary(self) -> list[str]:
        """The lines of the terminal summary, but for a coverage that is too small."""
        records = list(self.found.values())
        coverage = self.coverage
        counts = Counter(record["status"] for record in records)
        listed = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()) if status != "UNSUPPORTED")
        suites = ", ".join(sorted({record["suite"] for record in records})) or self.suite
        seeds = ", ".join(str(seed) for seed in sorted({record["seed"] for record in records})) or str(self.seed)
        lines = [
            f"{coverage.decided} of {coverage.asked} checks reached a verdict ({suites} suite, seed {seeds})"
            + (f": {listed}" if listed else "")
        ]
        words = {"UNSUPPORTED": "skipped", "SKIPPED": "skipped", "NO VERDICT": "without a verdict"}
        why = Counter(f"{words[r['status']]}: {r['reason']}" for r in records if r["status"] in words)
        reasons = sorted(why.items(), key=lambda item: (-item[1], item[0]))  # whichever process was first
        lines += [f"{number} {reason}" for reason, number in reasons[:SHOWN]]
        if len(reasons) > SHOWN:
            rest = sum(number for _, number in reasons[SHOWN:])
            lines.append(f"{rest} without a verdict for {len(reasons) - SHOWN} other reasons")
        if coverage.asked > len(records):
            lines.append(f"{coverage.asked - len(records)} did not run")
        passed = [(r["ratio"], name) for name, r in self.found.items() if r["status"] == "PASS" and r["ratio"]]
        if passed:
            ratio, name = max(passed)
            lines.append(f"closest to its limit: error ÷ bound {ratio:.2g} in {name}")
        return lines
