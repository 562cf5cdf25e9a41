"""A store held against an earlier one on the disk."""

from __future__ import annotations

from pathlib import Path

from verify.report.comparison import Comparison, compare
from verify.report.lean import lean
from verify.report.records import Records
from verify.stored import open_store


def since(earlier: Path, records: Records) -> Comparison:
    """What changed since an earlier store.

    Args:
        earlier: folder with ``verdicts.jsonl``, or the file itself.
        records: the newer store.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no store, or it is the newer one.
    """
    found = open_store(earlier)
    if found.path.samefile(records.path):
        raise ValueError(
            f"the earlier store, {found.path}, is the store of this report; expected another one, such as a copy that "
            "was made before the campaign was run again"
        )
    return compare(
        lean(found),
        records.entries,
        found.provenance,
        records.provenance,
        str(earlier) if found.finished else f"{earlier} (which is not finished)",
        finished=records.finished,
    )
