"""What a backend declares and does."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hippo_fast.recurrence import Recurrence
from hippo_fast.types import Float64Array, Output


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do, known without importing its library.

    Attributes:
        key: the name users pass.
        module: the module of this package that holds ``BACKEND``.
        requires: the library it runs on.
        measures: keys it runs.
        methods: for each measure, the rules it runs.
        dtypes: names of the dtypes it computes in.
        differentiable: whether gradients flow through a scan.
        devices: kinds of devices it runs on.
    """

    key: str
    module: str
    requires: str
    measures: tuple[str, ...]
    methods: Mapping[str, tuple[str, ...]]
    dtypes: tuple[str, ...]
    differentiable: bool
    devices: tuple[str, ...]

    def is_installed(self) -> bool:
        """Return whether the library can be found; nothing is imported."""
        return importlib.util.find_spec(self.requires) is not None

    def why_not(self, measure: str, method: str, dtype: str = "float64") -> str | None:
        """Return None if the backend runs this, or the reason it does not."""
        if not self.is_installed():
            return f"{self.requires} is not installed"
        if measure not in self.measures:
            return f"backend {self.key!r} has no measure {measure!r}"
        if method not in self.methods[measure]:
            return f"backend {self.key!r} has no method {method!r} for measure {measure!r}"
        if dtype not in self.dtypes:
            return f"backend {self.key!r} does not compute in {dtype}"
        return None


class Backend(ABC):
    """Runs recurrences on one library's arrays. Abstract; subclasses are final."""

    @abstractmethod
    def read(self, samples: Any, dtype: Any, device: Any) -> Any:
        """Return samples ``(..., L)`` in the dtype and on the device to compute with.

        Raises:
            TypeError: samples that are no real numbers, or a dtype of a wrong kind.
            ValueError: an unsupported dtype or device, an empty or 0-d array, NaN or infinite samples.
        """

    @abstractmethod
    def run(
        self, recurrence: Recurrence, samples: Any, times: Float64Array | None, output: Output, out: Any = None
    ) -> Any:
        """Return the states ``(..., L, N)``, or the last one ``(..., N)``, for samples that `read` returned.

        Args:
            recurrence: what to run.
            samples: ``(..., L)``.
            times: ``(L,)``, or ``(S, L)`` for S streams in all, then all first times are 0 or none is; None for the
                default times.
            output: which states.
            out: an array of the result's shape, dtype and device to write into and return, or None.
        """

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until everything asked for has been computed; needed around a timing."""
