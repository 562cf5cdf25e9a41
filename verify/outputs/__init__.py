"""What other programs read. `WRITERS` is the table; a module for each form, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from verify.campaign import Report
from verify.outputs.badge import write_badge
from verify.outputs.base import STDOUT, write_json
from verify.outputs.certificate import write_certificate
from verify.outputs.github import add_summary, workflow_commands
from verify.outputs.junit import write_junit
from verify.outputs.markdown import write_markdown
from verify.outputs.record import schema, write_record
from verify.outputs.sarif import write_sarif

WRITERS: dict[str, Callable[[Path, Report], None]] = {
    "json": write_record,
    "junit-xml": write_junit,
    "sarif": write_sarif,
    "markdown": write_markdown,
    "certificate": write_certificate,
    "badge": write_badge,
}
"""Option of the command line -> what writes its file."""

__all__ = [
    "STDOUT",
    "WRITERS",
    "add_summary",
    "schema",
    "workflow_commands",
    "write_badge",
    "write_certificate",
    "write_json",
    "write_junit",
    "write_markdown",
    "write_record",
    "write_sarif",
]
