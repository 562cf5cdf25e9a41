"""The verdict: what was claimed, what was measured, against which bound. It refuses to pass on nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from verify.case import Case

SCHEMA = "hippo-verify/1"
INTERFACE = "the target interface"
"""Source of the bound of an answer that has not even the right form."""


class Status(StrEnum):
    """How one check of one case ended."""

    PASS = "PASS"  # noqa: S105 -- a status, not a password
    FAIL = "FAIL"
    EXPECTED_FAIL = "EXPECTED_FAIL"
    UNEXPECTED_PASS = "UNEXPECTED_PASS"  # noqa: S105 -- a status, not a password
    UNSUPPORTED = "UNSUPPORTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"


def _written(value: Any) -> Any:
    """The same with every number that JSON does not have as text: what a target answers must not stop a campaign."""
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    return repr(float(value)) if isinstance(value, float) and not math.isfinite(value) else value


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check on one case.

    Attributes:
        check: key of the check.
        claim: the sentence that is true of a right implementation, with its source.
        case: what was checked.
        status: how it ended.
        measured: the error (or other quantity) that is judged; None when nothing was measured.
        bound: what it may be at most; None when nothing was measured.
        bound_source: where the bound comes from.
        compared: how many numbers were compared.
        worst: the place and values of the largest error ÷ bound, JSON-able, or None.
        message: what happened, in words; never empty unless the status is PASS.
        details: further JSON-able facts for the report.
        seconds: wall time the check took; not part of the verdict's identity.
    """

    check: str
    claim: str
    case: Case
    status: Status
    measured: float | None = None
    bound: float | None = None
    bound_source: str = ""
    compared: int = 0
    worst: Mapping[str, Any] | None = None
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        if self.status in (Status.PASS, Status.UNEXPECTED_PASS):
            if self.compared <= 0:
                raise ValueError(f"check {self.check!r} passed with nothing compared: say INCONCLUSIVE instead")
            if self.bound is None or not math.isfinite(self.bound):
                raise ValueError(f"check {self.check!r} passed with bound {self.bound}: a pass needs a finite bound")
            if self.measured is None or not self.measured <= self.bound:
                raise ValueError(f"check {self.check!r} passed with {self.measured} above its bound {self.bound}")
            if not self.bound_source:
                raise ValueError(f"check {self.check!r} passed with a bound of unknown source")
        elif not self.message:
            raise ValueError(f"check {self.check!r} ended {self.status} without a message")

    @property
    def ratio(self) -> float | None:
        """Error ÷ bound, or None where either is missing or not finite."""
        measured, bound = _finite(self.measured), _finite(self.bound)
        if measured is None or bound is None:
            return None
        if bound == 0:
            return 0.0 if measured == 0 else None
        return measured / bound

    def with_status(self, status: Status, message: str) -> Verdict:
        """The same finding under another status; the message gains its reason."""
        return replace(self, status=status, message=message)

    def to_json(self) -> dict[str, Any]:
        """A record with finite numbers or null; the reason for a null stands in ``message``."""
        measured, bound = _finite(self.measured), _finite(self.bound)
        message = self.message
        if self.measured is not None and measured is None:
            message += f" (measured is {self.measured}, written as null)"
        if self.bound is not None and bound is None:
            message += f" (bound is {self.bound}, written as null)"
        if self.measured is None and not message:
            message = "nothing was measured"
        return {
            "check": self.check,
            "claim": self.claim,
            "status": str(self.status),
            "measured": measured,
            "bound": bound,
            "ratio": self.ratio,
            "bound_source": self.bound_source,
            "compared": self.compared,
            "case": {"id": self.case.id, **self.case.to_json()},
            "worst": _written(self.worst),
            "message": message,
            "details": _written(self.details),
            "seconds": round(self.seconds, 6),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Verdict:
        """The inverse of `to_json`, for reports and resumed campaigns."""
        values = {key: value for key, value in record.items() if key not in ("schema", "kind", "ratio")}
        values["case"] = Case.from_json(values["case"])
        values["status"] = Status(values["status"])
        return cls(**values)
