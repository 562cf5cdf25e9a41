"""Sides made by hand, for the tests of the gate."""

from verify.gate import Kind, Measurement, Side

UNITS = {
    Kind.TIME: "seconds",
    Kind.RATE: "steps/s",
    Kind.MEMORY: "bytes",
    Kind.ERROR: "error / bound",
    Kind.COUNT: "numbers compared",
}


def measured(name, kind, rounds, *, unit=None, version="1"):
    return Measurement(
        name=name, kind=kind, unit=unit or UNITS[kind], version=version, status="measured", rounds=tuple(rounds)
    )


def absent(name, status, kind=Kind.TIME, why="because"):
    return Measurement(name=name, kind=kind, unit=UNITS[kind], version="1", status=status, why=why)


def side(*measurements, label="a side", paired="a run", machine=None, environment=None):
    return Side(
        label=label,
        revision=None,
        paired=paired,
        machine=machine or {"cpu": "one"},
        environment=environment or {"numpy": "2.0"},
        measurements={one.name: one for one in measurements},
    )
