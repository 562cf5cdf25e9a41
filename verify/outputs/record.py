"""The object of ``--json``; its schema is ``hippo-verify-1.schema.json`` beside this file."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from verify.campaign import Report
from verify.outputs.base import write_json

SCHEMAS = Path(__file__).parent


@lru_cache
def schema(name: str) -> Any:
    """A shipped JSON Schema (draft 2020-12): ``hippo-verify-1`` or ``hippo-certificate-1``."""
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))


def write_record(path: Path, report: Report) -> None:
    """All that was found."""
    write_json(path, report.to_json())
