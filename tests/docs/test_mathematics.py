"""docs/mathematics.md: every formula is executed, and a block whose formula is changed fails."""

import re

import mpmath
import pytest
from docs_tools import ROOT, blocks

PAGE = ROOT / "docs/mathematics.md"
WRONG = [
    # (what stands in one block, what is wrong instead)
    ("z: z.real).real < 1e-20", "z: z.real).real < -1"),
    ('"scale" if key == "legs"', '"scale" if key == "legt"'),
    ("T * legs.A * T**-1, T * legs.B", "T**-1 * legs.A * T, T * legs.B"),
    ("B_plain, [2 * n + 1 for", "B_plain, [2 * n - 1 for"),
    ("s[n] * P(n, 2 * x / t - 1)", "s[n] * P(n, 2 * x / t + 1)"),
    ("s[n] * P(n, 2 * (x - t) / theta + 1)", "P(n, 2 * (x - t) / theta + 1)"),
    ("sqrt(2) * (cos(angle) if n % 2", "(cos(angle) if n % 2"),
    ("quad(lambda x: f(x) * g(n, x) * weight(x), past)", "quad(lambda x: f(x) * g(n, x), past)"),
    ("sum(c[n] * s[n] * P(n, 2 * v - 1) for n", "sum(c[n] * s[n] * P(n, 1 - 2 * v) for n"),
    ("square - sum(value**2 for value in c))\nassert norm", "square + sum(value**2 for value in c))\nassert norm"),
    ("distance + sum((a - b) ** 2", "distance - sum((a - b) ** 2"),
    ("exp(-(1 + beta) * u / 2)", "exp(-beta * u)"),
    ("gamma(1 - alpha) * beta ** (alpha - 1)\nlagt", "gamma(1 - alpha) * beta ** (1 - alpha)\nlagt"),
    ("/ sqrt(8 * v * (1 - v))", "* sqrt(8 * v * (1 - v))"),
    ("[sqrt(8) / pi * value for value in window]", "[2 / pi * value for value in window]"),
    ("(-1) ** (n + j) * comb(n, j)", "(-1) ** j * comb(n, j)"),
    ("combined((n + 1, shifted_legendre(n)), *earlier)", "combined((n, shifted_legendre(n)), *earlier)"),
    ("if n > k else -(n + 1) if n == k", "if n > k else -n if n == k"),
    ("(2 * (2 * k + 1), shifted_legendre(k))", "(2 * k + 1, shifted_legendre(k))"),
    ("(1 if k <= n else (-1) ** (n - k)) for k in range(N)]", "(1 if k >= n else (-1) ** (n - k)) for k in range(N)]"),
    ("left = (-1) ** n * (-1) ** k * (2 * k + 1)", "left = 0"),
    ("B = matrix(s) / theta", "B = 2 * matrix(s) / theta"),
    ("(-1) ** (n - k) if k <= n else 1", "(-1) ** (n - k) if k >= n else 1"),
    ("T = diag([(-1) ** n * s[n] for", "T = diag([s[n] for"),
    ("*((-1, laguerre(k, third))", "*((1, laguerre(k, third))"),
    ("-Lam[k] / Lam[n] if k < n", "-Lam[n] / Lam[k] if k < n"),
    ("-(1 + beta) / 2 if k == n", "-mpf(1) / 2 if k == n"),
    ("plain.A, [-1 if k <= n", "plain.A, [-1 if k < n"),
    ("R[2 * j - 1, 2 * j] = 2 * pi * j", "R[2 * j - 1, 2 * j] = -2 * pi * j"),
    ("(R - 2 * b * b.T) / theta, 2 * b", "(R - b * b.T) / theta, 2 * b"),
    ("- 2 * b * b.T) / theta, 2 * b / theta", "- 2 * b * b.T) / theta, b / theta"),
    ("legs.B) and found.exact", "legs.B) and not found.exact"),
    ("T * legt.A * T**-1, digits=15)", "T**-1 * legt.A * T, digits=15)"),
    ("T * legt.A * T**-1, digits=12)", "T.T * legt.A * T**-1, digits=12)"),
    ("close(clock * rate, system.A * c + system.B * f(t))", "close(clock * rate, system.A * c - system.B * f(t))"),
    ('(("legs", t), ("lagt", 1)', '(("legs", 1), ("lagt", 1)'),
    ("-((-1) ** n) * s[n] / theta * wrong", "(-1) ** n * s[n] / theta * wrong"),
    ("f(t - theta) - 2 * S + f(t)", "f(t - theta) - S"),
    ("return 1 - 2 * x + x ** (N - 1)", "return 1 - 2 * x + x**N"),
    ("expm((t - x) * short.A)", "expm((x - t) * short.A)"),
    ("eye(len(c)) - a * h * system.A", "eye(len(c)) + a * h * system.A"),
    ("eye(len(c)) + (1 - a) * h", "eye(len(c)) + a * h"),
    ('h, dt in (("legs", mpf(1) / k, None)', 'h, dt in (("legs", mpf(1) / (k + 1), None)'),
    ("(1 - a * h * (n - 1)) * y[n - 1]", "(1 - a * h * (n + 1)) * y[n - 1]"),
    ("* x[n] - (1 + (1 - a) * h * (n - 1))", "* x[n] + (1 + (1 - a) * h * (n - 1))"),
    ("(expm(h * system.A) - eye(N)) * system.B", "expm(h * system.A) * system.B"),
    ("-mpmath.lu_solve(legs.A, legs.B), e0", "mpmath.lu_solve(legs.A, legs.B), e0"),
    ("moved = u * e0 + expm(mpmath.log(mpf(k + 1) / k)", "moved = u * e0 + expm(mpmath.log(mpf(k) / (k + 1))"),
    ("slope * k / (2 * sqrt(3))", "slope * k / sqrt(3)"),
    ("grown * (states[k] - line(slope, offset, k))", "grown * states[k]"),
    ("(samples[k] / k + samples[k + 1] / (k + 1))", "(samples[k] + samples[k + 1]) / k"),
    ("left = eye(N) - legs.A / (2 * (k + 1))", "left = eye(N) - legs.A / (2 * k)"),
    ("h / 2 * system.B * (samples[k] + samples[k + 1])", "h * system.B * (samples[k] + samples[k + 1])"),
    ('"bilinear": 1', '"bilinear": 2'),
    ('"trapezoid": 2', '"trapezoid": 3'),
    ("> 1e21", "> 1e24"),
    ("[7 * time for time in times]", "[7 + time for time in times]"),
    ("h = (times[4] - times[3]) / times[4]", "h = (times[4] - times[3]) / times[3]"),
    ("theta=theta / gamma", "theta=theta * gamma"),
    (
        'fast, t, N), hippo_ref.project(measure("legs"), slow, gamma * t',
        'fast, t, N), hippo_ref.project(measure("legs"), slow, t / gamma',
    ),
    ("P(n + 1, 2 * v - 1) - P(n - 1, 2 * v - 1)", "P(n + 1, 2 * v - 1) + P(n - 1, 2 * v - 1)"),
    ("norm([s[n] * P(n, 2 * t0 / t1 - 1) / t1", "norm([P(n, 2 * t0 / t1 - 1) / t1"),
    ("return pi * t / (4 * order)", "return t / (12 * order)"),
    ("* 3**k / falling", "* 3**k / falling / 3000"),
    ("2 / (2 * k + 1)", "2 / (2 * k - 1)"),
    ("1 - exp(-h)}", "1 - exp(h)}"),
    ("taylor = [(-theta) ** j", "taylor = [theta**j"),
    ("C = matrix([(-1) ** n * s[n] for", "C = matrix([s[n] for"),
    ("-eye(N) - column * column.T)", "-eye(N) + column * column.T)"),
    ("-2 / theta * (even", "-1 / theta * (even"),
    ("-4 / theta * b * b.T", "-2 / theta * b * b.T"),
    ("normal = legs.A + column * column.T / 2", "normal = legs.A + column * column.T"),
    ("[2 * a - 3 * b for a, b in zip(run(samples)", "[2 * a + 3 * b for a, b in zip(run(samples)"),
    ("start=run(samples)[2]", "start=run(samples)[1]"),
    ("worst < 1", "worst < 0.001"),
]


@pytest.fixture(scope="module")
def page():
    """Each Python block of the page, with the namespace that the blocks before it leave."""
    found, namespace = [], {}
    with mpmath.workdps(mpmath.mp.dps):
        for language, text in blocks(PAGE):
            if language == "python":
                found.append((text, dict(namespace)))
                exec(compile(text, str(PAGE), "exec"), namespace)
    return found


def test_a_changed_formula_fails(page):
    missed, bitten = [], set()
    for right, wrong in WRONG:
        places = [index for index, (text, _) in enumerate(page) if right in text]
        assert len(places) == 1, f"{right!r} stands in {len(places)} blocks; expected in one"
        text, before = page[places[0]]
        with mpmath.workdps(30):
            try:
                exec(compile(text.replace(right, wrong), f"{PAGE}, changed", "exec"), dict(before))
            except AssertionError:
                bitten.add(places[0])
            else:
                missed.append((right, wrong))
    assert missed == []
    # Nothing is only prose: each block that claims something was seen to fail.
    assert {index for index, (text, _) in enumerate(page) if "assert " in text} == bitten


def test_every_displayed_formula_has_its_block():
    """Between two displayed formulas, or a formula and the end of its section, code is executed."""
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^```python\n.*?^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert sum("$$" in part for part in parts) > 20
    assert "$$" not in parts[-1]
    for part in parts[:-1]:
        assert part.count("$$") in (0, 2, 4), part


def test_formulas_can_be_drawn_without_a_network():
    """Each is turned into MathML by docutils, as the site does it."""
    from docutils.utils.math.latex2mathml import tex2mathml

    text = re.sub(r"^```.*?^```$", "", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    formulas = re.findall(r"\$\$(.+?)\$\$", text, flags=re.DOTALL)
    formulas += re.findall(r"\$([^$]+)\$", re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL))
    assert len(formulas) > 100
    for formula in formulas:
        assert tex2mathml(formula).startswith("<math")
        # GitHub's Markdown takes the backslash off punctuation before the formula is read.
        assert not re.search(r"\\[^A-Za-z]", formula), formula
