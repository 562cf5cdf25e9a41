"""What the reference's tests share: a normwise distance, measures with awkward parameters, plain signals."""

from mpmath import mp

from hippo_ref import measure

# Every measure, with parameters that are neither defaults nor dyadic, and the ends of LagT's domain.
MEASURE_CASES = [
    ("legs", {}),
    ("legt", {}),
    ("legt", {"theta": "0.8"}),
    ("lmu", {"theta": "7/3"}),
    ("lagt", {}),
    ("lagt", {"alpha": "-0.999", "beta": "1/1000"}),
    ("lagt", {"alpha": "0.999", "beta": 50}),
    ("lagt", {"alpha": "1/3", "beta": "0.1"}),
    ("fout", {"theta": "0.3"}),
    ("legs_lti", {}),
    ("chebt", {"theta": "1.3"}),
    ("gegenbauer", {"alpha": "3/4"}),
    ("jacobi", {"theta": "0.6", "alpha": "-1/3", "beta": "1.5"}),
]
CASES = [measure(key, **parameters) for key, parameters in MEASURE_CASES]


def name(m):
    return "-".join([m.key, *(f"{k}={v}" for k, v in m.parameters.items())])


def flat(table):
    return [entry for row in table for entry in row]


def distance(a, b, dps=80):
    """Largest difference relative to the largest entry of b."""
    a, b = list(a), list(b)
    assert len(a) == len(b) > 0
    with mp.workdps(dps):
        scale = max(abs(y) for y in b) or 1
        return max(abs(x - y) for x, y in zip(a, b, strict=True)) / scale


def assert_close(a, b, digits):
    """Normwise agreement to ``digits`` decimal digits."""
    d = distance(a, b)
    worst = [(i, mp.nstr(x, 20), mp.nstr(y, 20)) for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y][:3]
    assert d <= mp.mpf(10) ** -digits, f"relative distance {mp.nstr(d, 3)} > 1e-{digits}; first differences {worst}"


def samples(length):
    """Dyadic, so exact in every format, and without structure that a wrong rule could hide behind."""
    return [((7 * i * i + 3 * i) % 17 - 8) / 8 for i in range(length)]


def rows(matrix):
    return [[matrix[n, k] for k in range(matrix.cols)] for n in range(matrix.rows)]
