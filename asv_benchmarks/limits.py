"""What a kernel cannot be faster than, on a machine whose rates were measured: arithmetic, stores, matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Limit:
    """What a kernel cannot be faster than.

    Attributes:
        what: what binds.
        seconds: for one step of one stream.
    """

    what: str
    seconds: float


def operations(part):
    """(multiply pipe, add pipe) operations for one coefficient of one LegS step, GBT rules and trapezoid.

    One stream keeps the change in full: six operations, one of which is a multiplication instead of an addition where
    ``2 i/T`` is not 1. A batch shares scaled coefficients over its streams: four; with times of its own for each
    stream it would need the six.
    """
    if part["streams"] > 1:
        return 2, 2
    return (3, 3) if part["method"] == "bilinear" else (4, 2)


def limit(part, rates):
    """The largest lower bound on a step that we know of, or None where nothing simple binds."""
    order, size = part["order"], np.dtype(part["dtype"]).itemsize
    dtype, found = part["dtype"], []
    if rates["store"] and part["output"] == "states":
        found.append(Limit("store bandwidth", order * size / max(rates["store"], rates["memset"])))
    if part["measure"] != "legs" and part["uneven"]:
        pass  # a step of O(N) whose operations differ from law to law
    elif part["measure"] != "legs":
        needed = 2 * order * (order + 1 if part["output"] == "states" else 1)
        found.append(Limit("matrix product", needed / rates["gemm"][dtype]))
    elif rates["fma"] and part["method"] not in ("zoh", "foh"):
        multiply, add = operations(part)
        spent = order * max(multiply / rates["fma"][dtype], add / rates["add"][dtype])
        found.append(Limit(f"arithmetic, {multiply} + {add} operations", spent))
    return max(found, key=lambda one: one.seconds, default=None)
