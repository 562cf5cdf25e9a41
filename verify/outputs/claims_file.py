"""The results file of ``hippo-verify claims``, read strictly: what is shown from it is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NoReturn

from verify.claims.results import SCHEMA, Results
from verify.outputs.record import schema

NEXT: Final = "expected the file that `hippo-verify claims --json FILE` writes; make one, or name it"


def read_claims(path: Path) -> Results:
    """A results file, every field of which is of the schema.

    Raises:
        ImportError: jsonschema is not installed.
        ValueError: it cannot be read, or is no results file of this version; the message names it, what is wrong, what
            was expected and what to do.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}; {NEXT}") from None
    try:
        record = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        cut = "; it is cut off" if isinstance(error, json.JSONDecodeError) and _torn(error, content) else ""
        raise ValueError(f"{path} is no JSON ({error or 'nested too deep'}){cut}; {NEXT}") from None
    problem = _problem(record)
    if problem:
        raise ValueError(f"{path} {problem}; {NEXT}")
    try:
        results = Results.from_json(record)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}: {error}; {NEXT}") from None
    found = results.to_json()
    for name in ("status", "exit_code", "counts"):
        if record[name] != found[name]:
            raise ValueError(f"{path} says {name} {record[name]}, and its statements come to {found[name]}; {NEXT}")
    return results


def _problem(record: Any) -> str:
    """Why it is not of our schema, as the rest of a sentence, or empty."""
    import jsonschema  # noqa: PLC0415 -- an extra

    found = record.get("schema") if isinstance(record, dict) else None
    if found != SCHEMA:
        return f"has schema {found!r:.60}, this version reads {SCHEMA!r}"
    errors = jsonschema.Draft202012Validator(schema("hippo-verify-claims-1")).iter_errors(record)
    error = jsonschema.exceptions.best_match(errors)
    if error is not None:
        place = "/".join(map(str, error.absolute_path)) or "the whole"
        return f"is not of {SCHEMA}: {place}: {error.message:.200}"
    keys = [claim["key"] for claim in record["claims"]]
    twice = [key for key in keys if keys.count(key) > 1]
    return f"has the claim {twice[0]!r:.60} twice" if twice else ""


def _torn(error: json.JSONDecodeError, content: bytes) -> bool:
    """Whether the text ended before the object did."""
    left = content.decode("utf-8", "replace")[error.pos :]
    return not left.strip() or error.msg.startswith("Unterminated")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")
