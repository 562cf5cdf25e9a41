"""What is said can be said: no statement without a number, no file that a reader cannot trust."""

import json
import math
from dataclasses import replace

import jsonschema
import pytest

from verify.claims.base import Curve, Figure, Number, Outcome, Standing, Statement, Table, Unit
from verify.claims.engine import Ending, Found, Record
from verify.claims.markdown import markdown
from verify.claims.results import Results
from verify.claims.words import cell, figure
from verify.outputs import schema
from verify.outputs.claims_file import read_claims

PROVENANCE = {
    "time": "2026-01-01T00:00:00+00:00", "versions": {}, "commit": None, "dirty": None, "platform": "p", "cpu": "a|b",
    "cores": 2, "seed": 0,
}  # fmt: skip
OPTIONS = {"scale": "quick", "seed": 0, "seeds": None, "device": "cpu", "data": None, "trajectories": None}


def statement(standing=Standing.HOLDS, **changes):
    known = {
        "text": "LegS is best.", "source": "table 1", "criterion": "the difference above 0", "measured": 0.5,
        "bound": 0.0, "bound_source": "nobody is better",
        "message": "" if standing is Standing.HOLDS else "for a reason",
    }  # fmt: skip
    return Statement(standing=standing, **{**known, **changes})


def table(**changes):
    numbers = (
        Number(measured=0.97, low=0.96, high=0.98, paper=98.3, paper_source="table 1", why="smaller here"), None,
        Number(measured=None, why="it diverged"),
    )  # fmt: skip
    known = {"title": "T", "unit": "%", "row_header": "cell", "columns": ("a", "b", "c"), "rows": (("LegS", numbers),)}
    return Table(key="t", **{**known, **changes})


def found(*standings, problem="", endings=(Ending.DONE,), key="images"):
    curve = Curve(name="c", x=(1.0, 2.0), y=(3.0, 4.0), low=(2.0, 3.0), high=(4.0, 5.0))
    outcome = Outcome(
        statements=tuple(statement(one, text=f"Statement {i}.") for i, one in enumerate(standings)), tables=(table(),),
        figures=(Figure(key="f", title="F", x_label="x", y_label="y", curves=(curve,), alt="a line", x_log=True),),
        notes=("a | note",),
    )  # fmt: skip
    done, other = {"seconds": 2.0, "result": {"x": 1.0}, "time": "2026"}, {"message": "`a` reason"}
    records = tuple(
        Record(
            unit=Unit(key=f"u{i}", cost=1.0, settings={"a": 1}),
            ending=one,
            **(done if one is Ending.DONE else other),
        )
        for i, one in enumerate(endings)
    )
    return Found(key=key, title="Images", source="here", outcome=outcome, records=records, problem=problem)


def whole(*claims):
    return Results(
        claims=claims, options=OPTIONS, command=("hippo-verify", "claims", "--quick"), seconds=1.5, workers=2,
        budget=None, provenance=PROVENANCE,
    )  # fmt: skip


CASES = {
    "pass": whole(found(Standing.HOLDS, Standing.HOLDS)),
    "fail": whole(found(Standing.HOLDS, Standing.FAILS, Standing.ERROR), found(Standing.UNDECIDED, key="b")),
    "error": whole(found(Standing.ERROR, Standing.UNDECIDED)),
    "error by a unit": whole(found(Standing.HOLDS, endings=(Ending.DONE, Ending.FAILED))),
    "error by a claim": whole(found(Standing.HOLDS), found(problem="no plan", key="b")),
    "inconclusive": whole(found(Standing.HOLDS, Standing.UNDECIDED)),
    "inconclusive by time": whole(found(Standing.HOLDS, Standing.NOT_RUN, endings=(Ending.NOT_RUN,))),
    "inconclusive by silence": whole(found(Standing.HOLDS), found(key="b")),
    "empty": whole(Found(key="images", title="I", source="", outcome=Outcome(statements=()), records=())),
    "empty at all": whole(),
}
CODES = {"pass": 0, "fail": 1, "error": 3, "empty": 4, "inconclusive": 5}


@pytest.mark.parametrize("name", CASES)
def test_one_word_for_all(name):
    word = name.partition(" ")[0]
    assert (CASES[name].status, CASES[name].exit_code) == (word, CODES[word])


@pytest.mark.parametrize("name", CASES)
def test_the_file_is_as_its_schema_says_and_is_read_back(name, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(CASES[name].to_json(), allow_nan=False))
    jsonschema.Draft202012Validator(schema("hippo-verify-claims-1")).validate(json.loads(path.read_text()))
    assert read_claims(path) == CASES[name]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("provenance"),
        lambda record: record["claims"][0]["statements"][0].update(measured=None),
        lambda record: record["claims"][0]["statements"][0].update(bound_source=""),
        lambda record: record["claims"][0]["statements"][1].update(message=""),
        lambda record: record["claims"][0]["tables"][0]["rows"][0]["numbers"][2].update(why=""),
        lambda record: record["claims"][0]["units"][0].update(result=None),
        lambda record: record["claims"][0]["statements"][0].update(standing="probably"),
        lambda record: record.update(schema="hippo-verify/1"),
    ],
)
def test_the_schema_and_the_reader_refuse_the_same(spoil, tmp_path):
    """But for the reason of a missing result, which only the schema asks for."""
    record = json.loads(json.dumps(CASES["inconclusive"].to_json()))
    spoil(record)
    assert not jsonschema.Draft202012Validator(schema("hippo-verify-claims-1")).is_valid(record)
    if record["claims"][0]["units"][0]["result"] is not None:
        with pytest.raises(ValueError, match=r"missing|cannot hold|needs why|has to say why|is not a valid|schema is"):
            Results.from_json(record)


def test_what_a_later_version_adds_is_passed_over():
    record = json.loads(json.dumps(CASES["inconclusive"].to_json()))
    claim = record["claims"][0]
    number = claim["tables"][0]["rows"][0]["numbers"][0]
    parts = [claim[name][0] for name in ("statements", "tables", "figures", "units")]
    for one in (record, claim, number, *parts):
        one["added"] = "later"
    jsonschema.Draft202012Validator(schema("hippo-verify-claims-1")).validate(record)
    assert Results.from_json(record) == CASES["inconclusive"]


# What cannot be said.


@pytest.mark.parametrize("name", ["measured", "bound"])
def test_nothing_holds_without_a_number_and_a_bound(name):
    with pytest.raises(ValueError, match="cannot hold without a measured number, a bound and the bound's source"):
        statement(**{name: None})
    with pytest.raises(ValueError, match=f"Statement.{name} is nan; accepted: a finite number, or None"):
        statement(**{name: math.nan})
    with pytest.raises(ValueError, match="cannot hold without"):
        statement(bound_source="")
    assert statement(Standing.NOT_RUN, **{name: None}).message


@pytest.mark.parametrize("standing", [one for one in Standing if one is not Standing.HOLDS])
def test_whatever_does_not_hold_says_why(standing):
    with pytest.raises(ValueError, match=f"is {standing}: a message has to say why"):
        statement(standing, message="")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Number(measured=None), "without measured needs why"),
        (lambda: Number(measured=math.inf), "Number.measured is inf; accepted: a finite number, or None"),
        (lambda: Number(measured=1.0, low=math.nan), "Number.low is nan"),
        (lambda: Number(measured=1.0, paper=2.0), "a Number with paper needs paper_source"),
        (lambda: table(columns=("a",)), "table 't', row 'LegS' has 3 numbers; expected one for each of 1 columns"),
        (lambda: Curve(name="c", x=(1.0,), y=(1.0, 2.0)), "curve 'c': y has 2 points, x has 1"),
        (lambda: Curve(name="c", x=(1.0,), y=(math.nan,)), r"curve 'c': y\[0\] is nan"),
        (lambda: Outcome(statements=(), tables=(table(), table())), "an Outcome has the table 't' twice"),
        (lambda: Outcome(statements=(statement(), statement())), "an Outcome has the statement 'LegS is best.' twice"),
        (lambda: statement(source=""), "a Statement needs text, source and criterion"),
    ],
)
def test_what_cannot_be_said_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# In words.


def test_a_cell_shows_both_numbers():
    ((_, numbers),) = table().rows
    assert [cell(one) for one in numbers] == ["0.970 [0.960, 0.980] (paper 98.3)", "", "–"]
    assert [figure(one) for one in (470000.0, 0.000123456, 98.34, -12345.6)] == [
        "470,000",
        "0.0001235",
        "98.34",
        "-12,346",
    ]


def test_markdown_has_all_that_is_said():
    text = markdown(CASES["fail"])
    assert text.startswith("## hippo-verify claims: fail\n\n1 holds, 1 does not hold, 1 undecided, 1 error.")
    assert "`hippo-verify claims --quick`" in text
    assert "| images | Statement 1. | 0.5 | 0 | does not hold |" in text
    assert "| LegS | 0.970 \\[0.960, 0.980\\] (paper 98.3) |  | – |" in text
    assert "- LegS, a: smaller here" in text
    assert "- LegS, c: it diverged" in text
    assert "a\\|b" in text
    assert "u1 failed: `` `a` reason ``" in markdown(CASES["error by a unit"])
    assert "**no plan**" in markdown(CASES["error by a claim"])
    assert markdown(replace(CASES["pass"], claims=())).count("\n") < 10
