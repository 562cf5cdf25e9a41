"""What the tests of the vectors share: the quick set as files, and answers made from its truth."""

import json
from decimal import Decimal

from typer.testing import CliRunner

from hippo_ref.vectors.build import build
from hippo_ref.vectors.document import header, text
from verify.cli import app
from verify.vectors.documents import export


def cli(*arguments):
    return CliRunner().invoke(app, ["vectors", *map(str, arguments)])


def words(text):
    """One line, without the box and the colours that a terminal gets."""
    return " ".join(text.replace("│", " ").split())


def small(path, **selection):
    """A file of few vectors, quickly."""
    chosen = {"measures": ["legs", "legt"], "orders": [4], "kinds": ["matrices", "scan"], **selection}
    export(path, "quick", **chosen)
    return path


def truth(vector):
    """What a program answers that is right to the last bit."""
    return [float(Decimal(text)) for text in vector["answer"]["values"]]


def write_document(path, asked):
    """A file of chosen questions."""
    found = build(asked)
    selection = {"set": "quick", "measures": None, "orders": None, "kinds": None}
    path.write_text(text(header(found, selection), found, lines=True), encoding="ascii")
    return path


def write_answers(path, records, change=lambda vector, values: values, **told):
    """An answers file: the truth, changed by a function to other values, None (left out) or a string (unsupported)."""
    answers = []
    for vector in records:
        values = change(vector, truth(vector))
        if isinstance(values, str):
            answers.append({"id": vector["id"], "unsupported": values})
        elif values is not None:
            answers.append({"id": vector["id"], "values": values})
    path.write_text(json.dumps({"format": "hippo-answers/1", "program": "a test", **told, "answers": answers}))
    return path


def lines_of(path):
    """Header and vectors of a JSON Lines file."""
    head, *vectors = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return head, vectors
