"""The table of measures, and the one way to make a measure from its key."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hippo_ref.measures.base import Generators, Measure, Parameter
from hippo_ref.measures.chebt import ChebT
from hippo_ref.measures.custom import Custom, define
from hippo_ref.measures.fout import FouT
from hippo_ref.measures.gegenbauer import Gegenbauer
from hippo_ref.measures.jacobi import Jacobi
from hippo_ref.measures.lagt import LagT
from hippo_ref.measures.legs import LegS
from hippo_ref.measures.legs_lti import LegSLTI
from hippo_ref.measures.legt import LegT
from hippo_ref.measures.lmu import LMU

__all__ = ["MEASURES", "Custom", "Generators", "Measure", "Parameter", "define", "is_published", "measure"]

MEASURES: Mapping[str, type[Measure]] = MappingProxyType(
    {
        "legs": LegS,
        "legt": LegT,
        "lmu": LMU,
        "lagt": LagT,
        "fout": FouT,
        "legs_lti": LegSLTI,
        "chebt": ChebT,
        "gegenbauer": Gegenbauer,
        "jacobi": Jacobi,
    }
)


def is_published(m: Measure) -> bool:
    """Whether a measure is the one of the table, and not another that goes by its key."""
    return MEASURES.get(m.key) is type(m)


def measure(key: str, **parameters: object) -> Measure:
    """Make a measure from its key.

    Args:
        key: one of ``MEASURES``.
        **parameters: ``theta > 0`` for legt, lmu, fout, chebt, gegenbauer, jacobi (a length of time, default 1);
            ``-1 < alpha < 1`` (default 0) and ``beta > 0`` (default 1) for lagt; ``alpha > -1/2`` (default 1) for
            gegenbauer; ``alpha, beta > -1`` (default 0), exponents at the present and the far end, for jacobi. int,
            float, Fraction, mpf or str, kept exactly ("0.1" is one tenth, 0.1 is the nearest double).

    Returns:
        The measure, immutable and hashable.

    Raises:
        TypeError: ``key`` is not a string or a parameter is not a number.
        ValueError: unknown key or parameter, or a value that is not finite or outside its domain.
    """
    if not isinstance(key, str):
        raise TypeError(f"measure key must be a string, one of {', '.join(MEASURES)}; got {key!r}")
    if key not in MEASURES:
        raise ValueError(f"unknown measure {key!r}; expected one of {', '.join(MEASURES)}")
    kind = MEASURES[key]
    for name in parameters:
        if name not in kind.domains:
            known = ", ".join(domain.accepted(known) for known, domain in kind.domains.items()) or "no parameters"
            raise ValueError(f"measure {key!r} has no parameter {name!r}; it accepts {known}")
    return kind(**parameters)
