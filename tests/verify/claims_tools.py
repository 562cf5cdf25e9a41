"""Claims that exist to see what the engine makes of them; workers import them from here."""

import os
import signal
import time
from dataclasses import dataclass
from types import MappingProxyType

from verify.claims.base import Curve, Figure, Number, Outcome, Standing, Statement, Table, Unit
from verify.claims.workspace import Stopped

ADDRESS = "claims_tools:{}"


@dataclass
class Watched:
    """What the engine said."""

    lines: list

    def began(self, claim, unit):
        self.lines.append(("began", claim, unit.key))

    def doing(self, claim, unit, fraction, text):
        self.lines.append(("doing", claim, unit.key, fraction, text))

    def ended(self, claim, record, done, known):
        self.lines.append(("ended", claim, record.unit.key, str(record.ending), done, known))


class Squares:
    """Search first, then as many as there are seeds: each unit squares a number; settings say what else it does."""

    key, title, source = "squares", "Squares", "nowhere, section 1"
    faults = MappingProxyType({})

    def unit(self, name, number, cost=1.0):
        return Unit(key=name, cost=cost, settings={"number": number, **self.faults.get(name, {})})

    def plan(self, options, done):
        search = [self.unit(f"search {n}", n, cost=10.0 - n) for n in (2, 3)]
        if not all(unit.key in done for unit in search):
            return search
        best = max(done[unit.key]["square"] for unit in search)
        return search + [self.unit(f"seed {options.seed + n}", best + n) for n in range(options.seeds or 2)]

    def run(self, unit, options, workspace):
        fault = unit.settings.get("fault")
        if fault == "raise":
            raise ArithmeticError(f"{unit.key} raised\nin two lines")
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "exit":
            os._exit(7)
        if fault == "nan":
            return {"square": [1.0, float("nan")]}
        if fault == "object":
            return {"square": object()}
        if fault == "stopped":
            raise Stopped
        if fault == "print":
            print("this is no JSON")  # noqa: T201
        until = time.monotonic() + unit.settings.get("seconds", 0.0)
        steps = 0
        while time.monotonic() < until:
            steps += 1
            if not unit.settings.get("deaf"):
                workspace.report(steps / 100, f"step {steps}")
                workspace.check()
            time.sleep(0.01)
        threads = os.environ["OMP_NUM_THREADS"]
        return {"square": unit.settings["number"] ** 2, "seeds": options.seeds, "threads": threads}

    def judge(self, options, done):
        squares = {key: result["square"] for key, result in done.items()}
        seeds = [key for key in squares if key.startswith("seed")]
        lacking = len(seeds) < (options.seeds or 2)
        statement = Statement(
            text="Squares grow.", source=self.source, criterion="the largest square above 9", bound=9.0,
            bound_source="3 squared", measured=None if lacking else float(max(squares.values())),
            standing=Standing.NOT_RUN if lacking else Standing.HOLDS, message="a seed is missing" if lacking else "",
        )  # fmt: skip
        rows = tuple((key, (Number(measured=float(value)), None)) for key, value in squares.items())
        table = Table(key="squares", title="Squares", unit="", row_header="unit", columns=("here", "there"), rows=rows)
        numbers = tuple(map(float, sorted(squares.values())))
        curve = Curve(name="squares", x=numbers, y=numbers)
        figure = Figure(key="f", title="F", x_label="x", y_label="y", curves=(curve,) if numbers else (), alt="a line")
        return Outcome(statements=(statement,), tables=(table,), figures=(figure,), notes=("a note",))


def faulty(*names, **settings):
    """Squares whose units of these names are given these settings."""
    return type("Faulty", (Squares,), {"faults": MappingProxyType(dict.fromkeys(names, settings))})


Slow = faulty("search 2", "search 3", "seed 0", "seed 1", seconds=0.3)
Endless = faulty("search 2", "search 3", seconds=1e6)
Deaf = faulty("search 2", "search 3", seconds=1e6, deaf=True)
Raising = faulty("seed 0", fault="raise")
Killed = faulty("seed 0", fault="kill")
Exiting = faulty("seed 0", fault="exit")
NotANumber = faulty("seed 0", fault="nan")
NoJson = faulty("seed 0", fault="object")
Deserter = faulty("seed 0", fault="stopped")
Printing = faulty("seed 0", fault="print")


class Unplanned(Squares):
    """The plan fails once the search is done."""

    def plan(self, options, done):
        if done:
            raise LookupError("no plan")
        return super().plan(options, done)


class Twice(Squares):
    """A unit is planned twice."""

    def plan(self, options, done):
        return [self.unit("search 2", 2), self.unit("search 2", 3)]


class Unjudged(Squares):
    """The judgement fails."""

    def judge(self, options, done):
        raise LookupError("no judgement")


class Hasty(Squares):
    """Plans seeds from a part of the search, and takes that back."""

    def plan(self, options, done):
        search = [self.unit("search 2", 2, cost=9), self.unit("search 3", 3, cost=1)]
        known = [done[unit.key]["square"] for unit in search if unit.key in done]
        return search + ([self.unit(f"seed of {max(known)}", max(known))] if known else [])

    def judge(self, options, done):
        return Outcome(statements=(), notes=tuple(done))


class Silent(Squares):
    """Nothing is said of anything."""

    def judge(self, options, done):
        return Outcome(statements=())


class Failing(Squares):
    """What is said does not hold."""

    def judge(self, options, done):
        (one,) = super().judge(options, done).statements
        failed = Statement(
            text=one.text, source=one.source, criterion=one.criterion, bound=1.0, bound_source="b", measured=0.5,
            standing=Standing.FAILS, message="0.5 lies below 1",
        )  # fmt: skip
        return Outcome(statements=(failed,))
