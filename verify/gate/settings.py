"""What the gate alarms at: ``[tool.hippo-verify.gate]`` of pyproject.toml, thresholds by benchmark included."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from verify.gate.speed import LOOKS

TABLE: Final = "tool.hippo-verify.gate"


def matches(pattern: str, name: str) -> bool:
    """Whether a benchmark's name fits a pattern, in which ``*`` stands for anything and all else for itself."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, flags=re.DOTALL) is not None


def selected(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of some regular expressions is found in a benchmark's name; where there are none, everything is."""
    return not patterns or any(re.search(pattern, name) for pattern in patterns)


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What matters in one benchmark.

    Attributes:
        slowdown: smallest ratio of times (or rates) that is worth an alarm.
        detect: ratio that must not pass unseen; where the noise would hide it, nothing is said to be the same.
        memory: smallest ratio of memory that is worth an alarm.
        memory_floor: bytes; growth up to this is the allocator's own.
        growth: an error that grows by this factor is an alarm.
        bits: so many more bits lost are an alarm.
        floor: an error up to this is rounding and not compared, in the benchmark's unit; None: by unit
            (`verify.gate.accuracy.FLOORS`).
    """

    slowdown: float = 1.05
    detect: float = 1.2
    memory: float = 1.1
    memory_floor: float = 2.0**20
    growth: float = 1.5
    bits: float = 1.0
    floor: float | None = None

    def __post_init__(self) -> None:
        for name, right, accepted in (
            ("slowdown", self.slowdown > 1, "a number above 1, such as 1.05"),
            ("detect", self.detect > self.slowdown, f"a number above slowdown, which is {self.slowdown:g}"),
            ("memory", self.memory > 1, "a number above 1, such as 1.1"),
            ("memory_floor", self.memory_floor >= 0, "a number of bytes, at least 0"),
            ("growth", self.growth > 1, "a number above 1, such as 1.5"),
            ("bits", self.bits > 0, "a number above 0, such as 1"),
            ("floor", self.floor is None or self.floor >= 0, "a number, at least 0"),
        ):
            _hold(name, getattr(self, name), right=right, accepted=accepted)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the gate judges.

    Attributes:
        rounds: how many are planned; a slowdown is tested for after them.
        extra_rounds: how many more a benchmark gets that is not decided by then.
        alarm_rate: largest chance of a false alarm, per benchmark.
        family_rate: largest chance of any false alarm, all benchmarks together.
        drift: how much a machine may change between two sides that were not measured side by side.
        may_differ: entries of machine and environment that need not agree.
        accepted: file with accepted regressions, or None.
        select: regular expressions; what is measured has a match of one in its name. Empty: everything.
        thresholds: for benchmarks that nothing else is said of.
        benchmarks: pattern -> thresholds that differ; where several fit, the later one has the last word.
    """

    rounds: int = 16
    extra_rounds: int = 16
    alarm_rate: float = 0.005
    family_rate: float = 0.05
    drift: float = 1.1
    may_differ: tuple[str, ...] = ()
    accepted: Path | None = None
    select: tuple[str, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    benchmarks: tuple[tuple[str, Mapping[str, float]], ...] = ()

    def __post_init__(self) -> None:
        for name, right, accepted in (
            ("rounds", 8 <= self.rounds <= 64, "a whole number from 8 to 64 (fewer than 8 can decide nothing)"),
            ("extra_rounds", 0 <= self.extra_rounds <= 64, "a whole number from 0 to 64"),
            ("alarm_rate", 0 < self.alarm_rate <= 0.05, "a probability above 0, at most 0.05"),
            ("family_rate", 0 < self.family_rate <= 0.2, "a probability above 0, at most 0.2"),
            ("drift", self.drift >= 1, "a number, at least 1"),
        ):
            _hold(name, getattr(self, name), right=right, accepted=accepted)
        for _, changed in self.benchmarks:
            replace(self.thresholds, **changed)

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of rounds after which `verify.gate.undecided` says who goes on; the last one is the end."""
        early = (look for look in LOOKS if look < self.rounds)
        return (*early, self.rounds, *([self.rounds + self.extra_rounds] if self.extra_rounds else []))

    def of(self, name: str) -> Thresholds:
        """The thresholds of a benchmark."""
        found = self.thresholds
        for pattern, changed in self.benchmarks:
            if matches(pattern, name):
                found = replace(found, **changed)
        return found

    def idle(self, names: list[str]) -> list[str]:
        """Patterns that fit none of some benchmarks: most likely a slip of the pen."""
        return [pattern for pattern, _ in self.benchmarks if not any(matches(pattern, name) for name in names)]

    @classmethod
    def from_pyproject(cls, path: Path) -> Settings:
        """The settings of a pyproject.toml, or of the one in a folder; those by default where there is none.

        Raises:
            ValueError: it is no TOML, or has an unknown key or a value that is not accepted.
        """
        file = path / "pyproject.toml" if path.is_dir() else path
        try:
            content: Any = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise ValueError(f"{TABLE}: cannot read {file}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{TABLE}: {file} is not TOML: {error}") from None
        for name in TABLE.split("."):
            content = content.get(name, {})
            if not isinstance(content, dict):
                raise ValueError(f"{TABLE}: {name} is {content!r:.60} in {file}; accepted: a table")
        return cls.from_table(content, file)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], file: Path) -> Settings:
        """The settings of a table; paths in it start where ``file`` is.

        Raises:
            ValueError: as `from_pyproject`.
        """
        known = [*_SETTINGS, *_THRESHOLDS, "benchmarks"]
        values = _read({key: value for key, value in table.items() if key != "benchmarks"}, known, TABLE)
        if "accepted" in values:
            values["accepted"] = file.parent / values["accepted"]
        thresholds = Thresholds(**{name: values.pop(name) for name in list(values) if _key(name) in _THRESHOLDS})
        records = table.get("benchmarks", [])
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise ValueError(f"{TABLE}: benchmarks is {records!r:.60}; accepted: [[{TABLE}.benchmarks]] tables")
        return cls(**values, thresholds=thresholds, benchmarks=tuple(_record(record) for record in records))


def _record(record: Mapping[str, Any]) -> tuple[str, Mapping[str, float]]:
    pattern = record.get("pattern")
    if not isinstance(pattern, str) or not pattern:
        raise ValueError(
            f"{TABLE}.benchmarks: pattern is {pattern!r}; accepted: a benchmark's name, in which * stands for anything"
        )
    rest = {key: value for key, value in record.items() if key != "pattern"}
    return pattern, _read(rest, [*_THRESHOLDS], f"{TABLE}.benchmarks, {pattern}")


def _hold(name: str, value: Any, *, right: bool, accepted: str) -> None:
    if not right:
        raise ValueError(f"{TABLE}: {_key(name)} is {value!r}; accepted: {accepted}")


def _key(name: str) -> str:
    """As it is spelt in TOML."""
    return name.replace("_", "-")


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _pattern(value: Any) -> bool:
    """Whether it is a regular expression."""
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


_Form = tuple[Callable[[Any], bool], str]
_SETTINGS: dict[str, _Form] = {
    "rounds": (lambda value: type(value) is int, "a whole number"),
    "extra-rounds": (lambda value: type(value) is int, "a whole number"),
    "alarm-rate": (_number, "a number"),
    "family-rate": (_number, "a number"),
    "drift": (_number, "a number"),
    "may-differ": (
        lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        'a list of names, such as ["numpy"]',
    ),
    "accepted": (lambda value: isinstance(value, str) and bool(value), "a file"),
    "select": (lambda value: isinstance(value, list) and all(map(_pattern, value)), "a list of regular expressions"),
}
_THRESHOLDS: dict[str, _Form] = {_key(one.name): (_number, "a number") for one in fields(Thresholds)}


def _read(table: Mapping[str, Any], known: list[str], place: str) -> dict[str, Any]:
    forms, found = {**_SETTINGS, **_THRESHOLDS}, {}
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"{place}: unknown key {key!r}; accepted: {', '.join(sorted(known))}")
        right, accepted = forms[key]
        if not right(value):
            raise ValueError(f"{place}: {key} is {value!r:.60}; accepted: {accepted}")
        found[key.replace("-", "_")] = tuple(value) if isinstance(value, list) else value
    return found
