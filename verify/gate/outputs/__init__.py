"""What the gate writes. `WRITERS` is the table; a module for each form, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from verify.gate.gating import Gated
from verify.gate.outputs.junit import write_junit
from verify.gate.outputs.markdown import write_markdown
from verify.gate.outputs.record import write_record
from verify.gate.outputs.sarif import write_sarif
from verify.gate.outputs.terminal import show

WRITERS: dict[str, Callable[[Path, Gated], None]] = {
    "json": write_record,
    "markdown": write_markdown,
    "junit-xml": write_junit,
    "sarif": write_sarif,
}
"""Option of the command line -> what writes its file."""

__all__ = ["WRITERS", "show", "write_junit", "write_markdown", "write_record", "write_sarif"]
