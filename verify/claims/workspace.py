"""What a unit has while it runs: a folder for its checkpoints, a way to say how far it is, and a way to be stopped."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from verify.folders import write_whole


class Stopped(Exception):  # noqa: N818 -- it is no error: the unit goes on from there another time
    """A unit ended early because it was asked to, with all it needs to go on saved."""


class Workspace:
    """A folder for one unit; it outlives an interruption, and is removed when the unit is done.

    Args:
        folder: it is made when something is saved.
        on_report: is told how far the unit is, from 0 to 1, and what it does.
        stop: whether the unit is to end at the next point where it can go on from.
    """

    def __init__(
        self,
        folder: Path,
        on_report: Callable[[float, str], None] = lambda fraction, text: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.folder = folder
        self._on_report = on_report
        self._stop = stop

    def report(self, fraction: float, text: str = "") -> None:
        """Say how far the unit is, from 0 to 1, and what it does."""
        self._on_report(min(max(fraction, 0.0), 1.0), text)

    def stop_requested(self) -> bool:
        """Whether to save and raise `Stopped`; cheap enough for every batch."""
        return self._stop()

    def check(self) -> None:
        """For a unit with nothing to save.

        Raises:
            Stopped: the unit is asked to end.
        """
        if self.stop_requested():
            raise Stopped

    def save(self, name: str, content: Any) -> None:
        """Keep tensors and plain values under a name, in one step: what was kept before stays whole until then.

        Args:
            name: a plain word.
            content: tensors, numbers, strings, lists and mappings of them.

        Raises:
            OSError: it cannot be written.
        """
        import torch  # noqa: PLC0415 -- a guest

        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_whole(self._path(name), buffer.getvalue())

    def load(self, name: str) -> Any:
        """What was kept under a name; None where nothing was, or where it cannot be read any more."""
        import pickle  # noqa: PLC0415 -- for its error alone

        import torch  # noqa: PLC0415

        try:
            return torch.load(self._path(name), weights_only=True)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
            return None  # the disk lost it: what it would have saved is computed again

    def _path(self, name: str) -> Path:
        if not name.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"a checkpoint is called {name!r}; accepted: letters, digits, - and _")
        return self.folder / f"{name}.pt"
