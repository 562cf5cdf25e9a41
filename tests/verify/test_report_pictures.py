"""The data of the drawings: nothing is drawn as if it were measured, passed or non-zero when it is not."""

import json
import math
from dataclasses import replace

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("plotly")

from picture_tools import CASE, all_kinds, approximating, budgeted, converging, influencing
from report_tools import ended, every_status, passed

from verify.case import Case
from verify.report import approximation, budgets, heat, influence, orders, pictures, slopes, work
from verify.report.canvas import EXACT, between, written
from verify.report.drawings import drawings
from verify.report.lines import Scale
from verify.verdict import Status, Verdict


def quantity(picture, name):
    return [t for t in picture.figure["data"] if t.get("meta", {}).get("quantity") == name]


def said(picture):
    """Texts on the lines of a figure."""
    return {note["text"] for note in picture.figure["layout"]["annotations"]}


# Heat maps


def cells(picture):
    """Text, shade and kind by row and order."""
    found = {}
    for trace in picture.figure["data"]:
        if trace["type"] == "heatmap":
            for row, texts, shades in zip(trace["y"], trace["text"], trace["z"], strict=True):
                for order, text, shade in zip(trace["x"][1], texts, shades, strict=True):
                    if shade is not None:
                        found[row, order] = (text, shade)
        else:
            for row, order, text in zip(trace["y"], trace["x"][1], trace["text"], strict=True):
                found[row, order] = (text, None)
    return found


def chosen(drawn, group, choice):
    (picture,) = [p for p in drawn if (p.group, p.choice) == (group, choice)]
    return picture


def test_a_failure_without_a_ratio_is_drawn_beyond_its_bound_and_says_so():
    """An answer of the wrong form has a bound of 0, one that is no number no error at all: neither may vanish."""
    shape = ended(Status.FAIL, CASE, "wrong shape", measured=math.inf, bound=0.0)
    number = ended(Status.FAIL, replace(CASE, order=8), "no number", measured=None, bound=1e-15)
    for verdict in (shape, number, Verdict.from_json(shape.to_json())):
        (picture,) = [p for p in heat.heat([verdict]) if p.choice == "scan"]
        ((text, shade),) = cells(picture).values()
        assert text == "<b>F ∞</b>"
        assert shade == heat.HIGHEST
        assert "1 cell F fail" in picture.words


@pytest.mark.parametrize("status", [Status.ERROR, Status.INCONCLUSIVE, Status.UNSUPPORTED])
def test_what_was_not_judged_has_a_sign_and_no_colour(status):
    """An inconclusive error below its bound would look like a pass."""
    other = passed(replace(CASE, order=8))
    verdict = ended(status, CASE, "nothing is known", measured=1e-16, bound=1e-15)
    picture = chosen(heat.heat([verdict, other]), "ours", "scan")
    text, shade = cells(picture)["bilinear, float64", "4"]
    assert (text, shade) == (heat.LETTERS[status], None)
    (scatter,) = (t for t in picture.figure["data"] if t["type"] == "scatter")
    assert "nothing is known" in scatter["customdata"][0]


def test_the_gravest_of_a_cell_is_shown_whatever_comes_first():
    good = [passed(replace(CASE, method=m), measured=9.95e-16) for m in ("zoh", "foh", "bilinear")]
    bad = ended(Status.FAIL, replace(CASE, method="euler"), "off", measured=3e-15, bound=1e-15)
    for listed in ([bad, *good], [*good, bad]):
        picture = chosen(heat.heat(listed), "ours", heat.WORST)
        assert cells(picture) == {("scan", "4"): ("<b>F 3</b>", pytest.approx(math.log10(3), abs=1e-3))}
        assert "the gravest of 4 verdicts" in picture.figure["data"][0]["customdata"][0][0]
    near = chosen(heat.heat(good), "ours", heat.WORST)
    assert cells(near)["scan", "4"][0] == "0.99"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.0, "0"), (0.9999, "0.99"), (1.0, "1"), (1.0001, "1.1"), (0.05, "5e-2"), (123.4, "123"), (2.4e9, "2e9")],
)
def test_a_ratio_is_never_rounded_onto_its_bound(ratio, text):
    assert heat.brief(ratio) == text


def test_a_pass_and_a_failure_never_share_a_colour():
    close = passed(CASE, measured=1e-15, bound=1e-15)
    beyond = ended(Status.FAIL, CASE, "off", measured=1.000001e-15, bound=1e-15)
    shades = [cells(chosen(heat.heat([v]), "ours", "scan"))["bilinear, float64", "4"][1] for v in (close, beyond)]
    assert shades[0] == 0 < heat.BEYOND == shades[1]
    colours = dict(heat.SCALE)
    assert list(colours)[2] == heat.BOUND < list(colours)[3]


def test_the_scale_is_the_same_in_every_report():
    """Two reports compare only if a colour means one ratio in both, whatever else they hold."""
    small, large = ([passed(replace(CASE, order=n), measured=m) for n in (4, 8)] for m in (1e-22, 1e-16))
    scales = [
        {key: p.figure["data"][0][key] for key in ("zmin", "zmax", "colorscale")}
        for p in (*heat.heat(small), *heat.heat(large))
    ]
    assert all(scale == {"zmin": -6, "zmax": 1, "colorscale": heat.SCALE} for scale in scales)


def test_a_property_can_be_chosen_for_one_target_and_for_all():
    other = replace(CASE, target="theirs")
    drawn = heat.heat([passed(CASE), passed(other), passed(CASE, "linearity"), passed(CASE, "determinism", 0.0, 0.0)])
    assert [(p.group, p.choice) for p in drawn] == [
        (heat.ALL, heat.WORST), (heat.ALL, "scan"), (heat.ALL, "linearity of scan"), (heat.ALL, "determinism of scan"),
        ("ours", heat.WORST), ("ours", "scan"), ("ours", "linearity of scan"),
        ("theirs", heat.WORST), ("theirs", "scan"),
    ]  # fmt: skip
    assert "Every error of those that pass is exactly 0" in drawn[3].words


def test_many_columns_keep_their_letters_where_numbers_have_no_room():
    many = [passed(replace(CASE, order=n)) for n in range(1, 40)]
    many.append(ended(Status.FAIL, replace(CASE, order=40), "off", measured=1.0, bound=1e-15))
    texts = {text for text, _ in cells(chosen(heat.heat(many), "ours", "scan")).values()}
    assert texts == {"", "<b>F</b>"}


def test_the_table_of_ratios_says_what_the_maps_say():
    table = heat.table(every_status())
    listed = {(row[0], row[1], row[2]): row[6:] for row in table.rows}
    assert table.head[6:] == ("N = 4", "N = 8", "N = 16")
    assert listed["their's.module:make", "scan", "scan"] == ("?", "F 5e14", "E")
    assert listed["their's.module:make", "matrices", "scan"] == ("", "X", "")  # a crash


# Log axes


def test_zeros_and_what_is_no_number_have_places_of_their_own():
    scale = Scale.of([1e-16, 0.0, None, 1e-3, math.inf])
    assert scale.height(0.0) == scale.floor == pytest.approx(1e-17)
    assert (
        scale.height(None) == scale.height(math.inf) == scale.height(math.nan) == scale.ceiling == pytest.approx(1e-2)
    )
    assert scale.limits[0] < scale.floor < 1e-16
    assert 1e-3 < scale.ceiling < scale.limits[1]
    assert scale.ends([1e-16]) == {"floor": None, "ceiling": None}
    assert scale.ends([0.0, None]) == {"floor": (scale.floor, EXACT), "ceiling": (scale.ceiling, "no number")}


def test_one_value_does_not_flatten_all_others_and_says_where_it_is():
    scale = Scale.of([1e-3, 2e-3, 3e-3, 1e200, 1e-200], decades=4)
    assert 1e-9 < scale.floor < scale.ceiling < 1e4
    ends = scale.ends([1e200, 1e-200])
    assert ends["floor"][1] == f"0, or below {scale.floor:.0e}"
    assert ends["ceiling"][1] == f"no number, or above {scale.ceiling:.0e}"
    assert Scale.of([]).floor < Scale.of([5e-324, 1.7e308]).ceiling < math.inf


def test_round_ticks():
    assert between(2816, 24576) == [5000, 10000, 20000]
    assert between(3, 4) == [3, 4]
    assert [written(n) for n in (5000, 20000, 3e6, 2.5e9)] == ["5000", "20k", "3M", "2.5G"]


def test_an_error_is_shown_beside_the_inputs_that_its_state_has_read():
    """A sample of 1e180 that comes after the worst state has nothing to do with its error."""
    given = {"samples": ["0x1.0p+0", "-0x1.0p+1", "0x1.0p+600"]}
    late = passed(CASE, measured=2e-16, bound=2e-15, worst={"index": [1, 3], "input": given})
    (picture,) = pictures.errors([late])
    assert quantity(picture, "error")[0]["y"] == [1e-16]


# Convergence


def test_the_nominal_slope_is_the_nominal_one():
    """Also where the target shows another: a line through its own points would agree with whatever it does."""
    for nominal in (1, 2):
        wrong = converging(errors=(1e-2, 1e-2, 1e-2), order=0.0, nominal=nominal)
        (picture,) = slopes.convergence([wrong])
        ((line,), (error,)) = quantity(picture, "slope"), quantity(picture, "error")
        assert [math.log2(a / b) for a, b in zip(line["y"], line["y"][1:], strict=False)] == pytest.approx(
            [nominal] * 2
        )
        assert error["y"] == [1e-2] * 3


@pytest.mark.parametrize("status", [Status.FAIL, Status.EXPECTED_FAIL, Status.INCONCLUSIVE])
def test_a_curve_that_is_no_pass_has_a_ring_with_its_letter(status):
    (picture,) = slopes.convergence([converging(status=status)])
    (ring,) = quantity(picture, "alarm")
    assert (ring["x"], ring["y"], ring["text"]) == ([256], [1e-2], [heat.LETTERS[status]])
    (fine,) = slopes.convergence([converging()])
    assert quantity(fine, "alarm") == []


def test_a_distance_of_zero_and_one_that_is_no_number_are_seen():
    broken = converging(errors=[0.0, "nan", 1e-2], order=None)
    (picture,) = slopes.convergence([broken])
    (error,), (ring,) = quantity(picture, "error"), quantity(picture, "alarm")
    assert error["y"][1] is None
    assert 0 < error["y"][0] < 1e-2 == error["y"][2]
    assert error["marker"]["symbol"][0].endswith("-open")
    assert not error["marker"]["symbol"][2].endswith("-open")
    assert ring["y"][0] > 4e-2
    assert {EXACT, "no number"} <= said(picture)


def test_a_verdict_without_a_curve_is_not_forgotten():
    crashed = ended(Status.ERROR, replace(CASE, target="theirs"), "raised", "convergence")
    (picture,) = slopes.convergence([converging(), crashed])
    (ring,) = quantity(picture, "alarm")
    assert ring["text"] == ["E"]
    assert "1 error" in picture.words


def test_the_limit_of_rounding_is_drawn_where_it_matters_and_said_where_not():
    near = slopes.convergence([converging(rounding=[1e-3, 1e-3, 2e-3])])[0]
    (line,) = quantity(near, "rounding")
    assert line["y"] == [1e-3, 1e-3, 2e-3]
    far = slopes.convergence([converging()])[0]
    assert quantity(far, "rounding") == []
    assert "Rounding may move a distance by 1e-15 at most" in far.words
    old = converging()
    old = replace(old, details={k: v for k, v in old.details.items() if k != "rounding"})
    assert "Rounding" not in slopes.convergence([old])[0].words


def test_orders_stand_at_what_was_shown_beside_the_nominal_ones():
    unjudged = converging(replace(CASE, order=8), order=1.4, order_not_judged="rounding is too large a share")
    failed = converging(replace(CASE, method="zoh"), order=0.2, nominal=2, status=Status.FAIL)
    endless = converging(replace(CASE, method="foh"), order=None, nominal=2)
    diverging = converging(replace(CASE, method="euler"), order=None, nominal=1, status=Status.FAIL)
    (picture,) = orders.orders([diverging])
    (dots,) = quantity(picture, "order")
    assert dots["x"][0] < 0  # never on the better side
    (picture,) = orders.orders([converging(), unjudged, failed, endless])
    (dots,), (nominal,), (ring,) = (quantity(picture, name) for name in ("order", "nominal", "alarm"))
    assert dict(zip(dots["y"], dots["x"], strict=True)) == {
        "bilinear, N = 4": 1.0, "bilinear, N = 8": 1.4, "zoh, N = 4": 0.2, "foh, N = 4": 2.5,
    }  # fmt: skip
    assert dict(zip(nominal["y"], nominal["x"], strict=True))["zoh, N = 4"] == 2
    assert [symbol.endswith("-open") for symbol in dots["marker"]["symbol"]] == [False, True, False, True]
    assert (ring["y"], ring["x"], ring["text"]) == (["zoh, N = 4"], [0.2], ["F"])
    assert "2 cells drawn open" in picture.words


# Work and precision


def test_work_is_what_was_counted_and_nothing_is_made_up():
    assert work.work_precision([converging()]) == []
    failed = budgeted(status=Status.FAIL)
    (picture,) = work.work_precision([failed])
    (line,) = quantity(picture, "error")
    assert line["x"] == [1000, 2000, 4000]
    assert quantity(picture, "alarm")[0]["text"] == ["F"]
    assert "comes nearest" not in picture.words  # a failure is no recommendation
    assert "bilinear comes nearest, 0.01 with 4,000 multiplications" in work.work_precision([budgeted()])[0].words
    assert work.table([failed]).rows[-1][-2:] == ("4000", "F 0.01")


# Gradient bounds


def test_influences_stand_at_their_age_beside_exact_ones_and_bounds():
    (picture,) = influence.influence([influencing()])
    (line,) = quantity(picture, "norm")
    assert line["x"] == [1, 17, 300]  # a lag of 0 has no place on a log axis
    assert line["y"] == [0.02, 0.01, 0.025]
    assert quantity(picture, "bound")[0]["y"] == [0.04] * 3
    assert quantity(picture, "share")[0]["y"] == [0.01] * 3
    assert "0.625 of its bound" in picture.words


def test_an_influence_that_is_cut_falls_to_the_floor_and_is_ringed():
    (picture,) = influence.influence([influencing(norms=(0.02, 0.01, 0.0), status=Status.FAIL)])
    (line,), (ring,) = quantity(picture, "norm"), quantity(picture, "alarm")
    assert line["marker"]["symbol"][-1].endswith("-open")
    assert line["y"][-1] < 0.01 / 5
    assert ring["text"] == ["F"]
    assert EXACT in said(picture)


def test_no_bound_is_drawn_where_none_is_derived():
    (picture,) = influence.influence([influencing(shares=[], case=Case("ours", "legt", 4, level="gradient"))])
    assert quantity(picture, "bound") == quantity(picture, "share") == []
    assert not any("N × share" in str(t.get("name")) for t in picture.figure["data"])


# Approximation bounds


def test_what_is_missed_is_drawn_against_the_order_beside_its_bound():
    (picture,) = approximation.approximation([approximating(4, 2e-3, 2e-1), approximating(8, 1e-3, 1e-1)])
    (line,), (bound,) = quantity(picture, "error"), quantity(picture, "bound")
    assert (line["x"], line["y"]) == ([4, 8], [2e-3, 1e-3])
    assert (bound["x"], bound["y"]) == ([4, 8], [2e-1, 1e-1])
    (free,) = approximation.approximation([approximating(4, bound=1e300)])
    assert quantity(free, "bound") == []
    assert "No bound is derived" in free.words
    assert "e+300" not in json.dumps(free.figure)


def test_only_the_signal_that_failed_is_ringed():
    other = {"spline": {"J": 1.0, "error": 1e-4, "floor": 1e-15, "smoothness": 3}}
    worst = {"input": {"name": "corner, 256 samples", "length": 256}}
    (picture,) = approximation.approximation([approximating(4, 0.9, 0.1, Status.FAIL, worst, **other)])
    (ring,) = quantity(picture, "alarm")
    assert (ring["y"], ring["text"]) == ([0.9], ["F"])


def test_a_store_of_an_earlier_version_has_no_such_picture():
    old = passed(CASE, "approximation", details={"corner": {"energy": 1.0, "kept": 0.9, "J": 0.1}})
    assert approximation.approximation([old]) == []


# Budgets


def test_budgets_show_what_was_recorded():
    eight = budgeted((1e-6, 0.0, 1e-2, 1e-16), replace(CASE, order=8))
    (picture,) = budgets.budgets([budgeted(), eight])
    assert (picture.group, picture.choice) == ("ours", "legs, bilinear")
    bars = {t["meta"]["component"]: t["y"] for t in picture.figure["data"] if t.get("type") == "bar"}
    assert sum(share[0] for share in bars.values()) == pytest.approx(1)
    norms = next(t for t in picture.figure["data"] if t.get("meta", {}).get("component") == "truncation")
    assert (norms["x"], norms["y"]) == (["4", "8"], [1e-3, 1e-6])
    assert "most of it is discretization (0.01, 100 % of the squared total)" in picture.words
    closure = next(t for t in picture.figure["data"] if t.get("meta", {}).get("component") == "closure")
    assert all(symbol.endswith("-open") for symbol in closure["marker"]["symbol"])  # 0 on a log axis


@pytest.mark.parametrize(("status", "letter"), [(Status.FAIL, "F"), (Status.INCONCLUSIVE, "?")])
def test_a_budget_of_a_wrong_target_is_marked(status, letter):
    (picture,) = budgets.budgets([budgeted((1e-3, 0.0, 1e-2, 0.5), status=status)])
    assert {letter for t in quantity(picture, "alarm") for letter in t["text"]} == {letter}
    assert "of a verdict" in picture.words
    assert budgets.table([budgeted(status=status)]).rows[0][4] == f"{letter} discretization"


# All of them


def test_every_drawing_has_words_a_table_and_figures_that_plotly_takes():
    import plotly.graph_objects as go

    for drawing in drawings(all_kinds()):
        assert drawing.pictures, drawing.key
        assert drawing.table.rows, drawing.key
        assert drawing.groups
        assert {len(row) for row in drawing.table.rows} == {len(drawing.table.head)}
        places = [(picture.group, picture.choice) for picture in drawing.pictures]
        assert len(set(places)) == len(places), drawing.key
        for picture in drawing.pictures:
            assert picture.words.endswith("."), (drawing.key, picture.words)
            json.dumps(picture.figure, allow_nan=False)
            for layout in ("layout", "narrow"):
                go.Figure(data=picture.figure["data"], layout=picture.figure[layout])
        assert drawing.words.endswith(".")


def test_every_failure_is_marked_in_every_drawing_that_shows_it():
    """Whatever is drawn of a verdict that failed carries its letter, in the figure and in the table."""
    bad = [
        budgeted(status=Status.FAIL), influencing(status=Status.FAIL), approximating(4, status=Status.FAIL),
    ]  # fmt: skip
    for drawing in drawings(bad):
        for picture in drawing.pictures:
            texts = [str(text) for trace in picture.figure["data"] for text in _flat(trace.get("text", []))]
            assert any(text.strip("<b>/").startswith("F") for text in texts), (drawing.key, picture.group)
            assert "fail" in picture.words
        rows = [" ".join(row) for row in drawing.table.rows]
        assert all(" F " in f" {row} " for row in rows), (drawing.key, rows)


def _flat(value):
    return [text for part in value for text in _flat(part)] if isinstance(value, list) else [value]


def test_hostile_text_is_no_markup_in_any_figure():
    for drawing in drawings(all_kinds()):
        for picture in drawing.pictures:
            traces = [{key: value for key, value in t.items() if key != "meta"} for t in picture.figure["data"]]
            text = json.dumps([traces, picture.figure["layout"], picture.figure["narrow"]])
            assert "<script" not in text, drawing.key
            assert "<img" not in text, drawing.key


@pytest.mark.parametrize("junk", [None, 7, "text", [], {}, [None, "x", {}], {"a": [1]}, [math.nan], [[1e400]]])
def test_a_store_with_junk_in_its_details_is_drawn_all_the_same(junk):
    """What a store holds is read, never trusted: it may be of another version, or made by hand."""
    spoilt = []
    for verdict in all_kinds():
        for key, value in verdict.details.items():
            spoilt.append(replace(verdict, details={**verdict.details, key: junk}))
            if isinstance(value, dict):
                spoilt += [replace(verdict, details={**verdict.details, key: {**value, k: junk}}) for k in value]
    for drawing in drawings([*all_kinds(), *spoilt]):
        for picture in drawing.pictures:
            json.dumps(picture.figure, allow_nan=False)


def test_no_drawing_is_made_of_nothing():
    for drawing in drawings([]):
        assert drawing.pictures == []
        assert drawing.empty.endswith(".")
