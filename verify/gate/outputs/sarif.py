"""SARIF 2.1.0 of the gate: a rule for each word, a result for each benchmark that fails or is open."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from verify.case import identity
from verify.gate.gating import Gated
from verify.gate.outputs.said import by_weight, place, problems
from verify.gate.words import Finding, Outcome, Word
from verify.outputs.sarif import MOST, location, rule, write_run

HELP: Final = "https://github.com/hippo-verify/hippo-verify/blob/main/docs/gate.md"
LEVEL: Final = {Outcome.FAIL: "error", Outcome.INCONCLUSIVE: "warning"}
CLAIMS: Final = {
    Word.SLOWER: "a change makes no benchmark slower, and none takes more memory",
    Word.LESS_ACCURATE: "a change makes no answer less accurate",
    Word.NOT_COMPARABLE: "what was measured before can be compared with what is measured now",
    Word.NOT_MEASURED: "what was measured before is measured now",
}
"""Words of findings that fail or are open -> what does not hold."""


def write_sarif(path: Path, gated: Gated) -> None:
    """Write it, the worst first."""
    shown = [one for one in by_weight(gated.comparison.findings) if one.outcome in LEVEL]
    code = gated.comparison.exit_code
    write_run(
        path,
        rules=[
            rule(_key(word), claim, f"What the gate asks of a change: {claim}. What the words mean: {HELP}", HELP)
            for word, claim in CLAIMS.items()
        ],
        results=[_result(one, gated.folder) for one in shown[:MOST]],
        left_out=len(shown) - MOST,
        said=problems(gated),
        category="hippo-verify/gate/",
        invocation={"executionSuccessful": True, "exitCode": code},
        version=gated.provenance.get("versions", {}).get("hippo-verify", ""),
        uri=HELP,
    )


def _key(word: Word) -> str:
    return f"gate-{word}".replace(" ", "-")


def _result(one: Finding, folder: Path | None) -> dict[str, Any]:
    unique = identity("gate", {"name": one.name, "word": str(one.word)})
    return {
        "ruleId": _key(one.word),
        "ruleIndex": list(CLAIMS).index(one.word),
        "level": LEVEL[one.outcome],
        "message": {"text": f"{one.name}: {one.message}"},
        "locations": [location(place(one, folder))],
        "partialFingerprints": {"benchmark": f"{one.word}/{one.name}", "primaryLocationLineHash": f"{unique}:1"},
    }
