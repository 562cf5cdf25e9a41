"""Files of the UEA archive: what is read from them, and what is refused with which words."""

import re
from dataclasses import replace

import numpy as np
import pytest

from verify.claims import trajectories_data
from verify.claims.data import uea
from verify.claims.trajectories_data import ARMS, Sizes

TS = """#A comment
@problemName Letters
@timeStamps false
@missing false
@univariate false
@dimensions 3
@equalLength false
@classLabel true a b
@data
0.5,1.5,2.5:-1,-2,-3:0,1e-1,0:a
1,2,3,4:5,6,7,8:9,10,11,12:b
"""
ARFF = r"""% A comment
@relation Letters
@attribute Letters relational
  @attribute t1 numeric
  @attribute t2 numeric
  @attribute t3 numeric
  @attribute t4 numeric
@end Letters
@attribute target {a,b}
@data
'0.5,1.5,2.5,?\n-1,-2,-3,?\n0,1e-1,0,?',a
"1,2,3,4\n5,6,7,8\n9,10,11,12",b
"""


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "text"), [("L_TRAIN.ts", TS), ("L_TRAIN.arff", ARFF)])
def test_both_formats_hold_the_same_series(tmp_path, name, text):
    found = uea.read(written(tmp_path, name, text))
    assert found.classes == ("a", "b")
    assert found.labels.tolist() == [0, 1]
    assert found.values[0].tolist() == [[0.5, -1, 0], [1.5, -2, 0.1], [2.5, -3, 0]]
    assert found.values[1].shape == (4, 3)
    assert [places.tolist() for places in found.places] == [[0, 1, 2], [0, 1, 2, 3]]


@pytest.mark.parametrize("missing", ["?", "NaN"])
def test_padding_is_cut_off_and_what_was_not_seen_leaves_a_gap(tmp_path, missing):
    text = TS.replace("0.5,1.5,2.5:-1,-2,-3:0,1e-1,0:a", "1,2,X,4,X:5,6,7,8,X:9,X,X,12,X:a".replace("X", missing))
    found = uea.read(written(tmp_path, "L_TRAIN.ts", text))
    assert found.places[0].tolist() == [0, 3]
    assert found.values[0].tolist() == [[1, 5, 9], [4, 8, 12]]


HEAD, DATA = TS.partition("@data\n")[::2]
HEAD += "@data\n"


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("x.ts", "", "ends without @data; expected a header"),
        ("x.ts", HEAD, "no case follows @data"),
        ("x.ts", "1,2:3,4:a\n", "line 1: '1,2:3,4:a' stands in the header"),
        ("x.ts", TS.replace("@classLabel true a b\n", ""), "no classes were declared before @data"),
        ("x.ts", TS.replace("true a b", "false"), "declares no classes; expected @classLabel true NAME"),
        ("x.ts", TS.replace("@timeStamps false", "@timeStamps true"), "pairs of time and value are not read"),
        ("x.ts", TS.replace("dimensions 3", "dimensions three"), "@dimensions is 'three'; expected a number"),
        ("x.ts", TS.replace(":b", ":c"), "line 11: class 'c' was not declared; the header has a b"),
        ("x.ts", HEAD + "1,2:3,4:a\n", "the case has 2 channels; the header declares 3"),
        ("x.ts", HEAD + "1,2:3:4,5:a\n", "channels have 2, 1, 2 values; expected as many in each"),
        ("x.ts", HEAD + "1,2:3,x:4,5:a\n", "'x' is no number"),
        ("x.ts", HEAD + "1,2:3,inf:4,5:a\n", "'inf' is not finite"),
        ("x.ts", HEAD + "?,1:?,2:3,?:a\n", "0 samples without a missing value; expected at least 2"),
        ("x.ts", HEAD + "a\n", "the case has no colon"),
        ("x.ts", TS.replace("equalLength false", "equalLength true"), "case has 4 samples; expected 3: the header"),
        (
            "x.ts",
            TS.replace("equalLength false", "equalLength true\n@seriesLength 7"),
            "line 11: the case has 3 samples; expected 7",
        ),
        ("x.ts", TS.replace("@dimensions 3\n", "") + "1,2:3,4:a\n", "cases have [2, 3] channels"),
        ("x.arff", ARFF.replace("relational", "numeric"), "expected one relational attribute"),
        ("x.arff", ARFF.replace("@attribute target {a,b}\n", ""), "no classes were declared before @data"),
        ("x.arff", ARFF.replace("'", ""), "the case is not"),
        ("x.arff", ARFF.replace(",4\\n", "\\n"), "channels have 3, 4, 4 values"),
        ("x.arff", ARFF.replace(",?", ""), "the case has 3 samples; expected 4"),
        ("x.csv", TS, "ends in .csv; accepted: .ts or .arff"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, name, text, match):
    with pytest.raises(ValueError, match=re.escape(match)):
        uea.read(written(tmp_path, name, text))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "x.ts"
    path.write_bytes(b"@problemName \xff\n")
    with pytest.raises(ValueError, match=r"is no text \(byte 13\)"):
        uea.read(path)


def test_the_other_part_is_found_beside_the_one_that_is_named(tmp_path):
    train, test = written(tmp_path, "L_TRAIN.ts", TS), written(tmp_path, "L_TEST.ts", TS.replace("0.5", "0.75"))
    for path in (train, test):
        name, first, second = uea.read_pair(path)
        assert (name, first.values[0][0, 0], second.values[0][0, 0]) == ("L", 0.5, 0.75)


def test_pairs_that_do_not_fit_are_refused(tmp_path):
    train = written(tmp_path, "L_TRAIN.ts", TS)
    with pytest.raises(FileNotFoundError, match=r"L_TEST.ts is not in .*; expected L_TRAIN.ts, L_TEST.ts there"):
        uea.read_pair(train)
    written(tmp_path, "L_TEST.ts", TS.replace("true a b", "true a b c"))
    with pytest.raises(ValueError, match=r"L_TEST.ts declares classes a b c; expected those of L_TRAIN.ts: a b"):
        uea.read_pair(train)
    fewer = TS.replace("@dimensions 3", "@dimensions 1").partition("@data\n")[0] + "@data\n1,2:a\n"
    written(tmp_path, "L_TEST.ts", fewer)
    with pytest.raises(ValueError, match=r"L_TEST.ts has 1 channels; expected 3"):
        uea.read_pair(train)
    with pytest.raises(ValueError, match=r"letters.ts is no name of a UEA file; accepted: NAME_TRAIN or NAME_TEST"):
        uea.read_pair(tmp_path / "letters.ts")


def recorded(folder, cases, length=40):
    """Two classes that differ in frequency, at 200 Hz, of unequal lengths."""
    for part, seed in (("TRAIN", 0), ("TEST", 1)):
        random = np.random.default_rng(seed)
        lines = []
        for k in range(2 * cases):
            t = np.arange(length - k % 4 * 3)
            series = [np.sin((1 + k % 2) * t / 6 + random.normal()) + random.normal(0, 0.1) for _ in range(3)]
            lines.append(":".join(",".join(f"{x:.6f}" for x in one) for one in series) + ":" + "ab"[k % 2])
        (folder / f"Waves_{part}.ts").write_text(HEAD + "\n".join(lines) + "\n")
    return folder / "Waves_TRAIN.ts"


def test_recordings_become_tasks_at_three_rates(tmp_path):
    path = recorded(tmp_path, 6)
    data = trajectories_data.source(path, Sizes(train=4, validation=2, test=3, hertz=50.0))
    assert (data.classes, data.hertz, data.unseen) == (2, 100.0, None)
    assert [len(part.labels) for part in (data.train, data.validation, data.test)] == [8, 4, 6]
    whole, half, double = (data.test.read(rate) for rate in (1.0, 0.5, 2.0))
    for one, slow, fast in zip(whole, half, double, strict=True):
        assert np.array_equal(one[0], np.arange(len(one[0])))
        assert np.array_equal(one[1], fast[1][::2])
        assert np.array_equal(slow[1], one[1][::2])
        assert np.array_equal(slow[0], one[0][::2])
    task = trajectories_data.task(data, ARMS[1], reads_times=False)
    assert task.outputs == 2
    assert task.train.inputs.shape[2] == 4


def test_a_changed_file_is_read_anew_and_gives_other_results(tmp_path):
    path, sizes = recorded(tmp_path, 6), Sizes(train=4, validation=2, test=3, hertz=50.0)
    before = trajectories_data.source(path, sizes).key
    recorded(tmp_path, 6, length=44)
    assert trajectories_data.source(path, sizes).key != before


def test_all_that_is_known_of_recordings_is_in_their_digest():
    one = uea.Recordings(
        classes=("a", "b"),
        labels=np.array([0, 1]),
        values=(np.arange(4.0).reshape(2, 2), np.arange(6.0).reshape(3, 2)),
        places=(np.array([0, 1]), np.array([0, 1, 2])),
    )
    others = [
        replace(one, classes=("b", "a")),
        replace(one, labels=np.array([1, 0])),
        replace(one, values=(one.values[0] + 1, one.values[1])),
        replace(one, values=(one.values[0], one.values[1].reshape(2, 3))),
        replace(one, places=(one.places[0], np.array([0, 1, 3]))),
    ]
    assert len({recordings.digest() for recordings in (one, replace(one), *others)}) == 6


def test_a_class_without_enough_cases_is_named(tmp_path):
    path = recorded(tmp_path, 1)
    with pytest.raises(ValueError, match="Waves: class 'a' has 1 cases to learn from and 1 to report; expected at"):
        trajectories_data.source(path, Sizes(train=4, validation=2, test=3, hertz=50.0))
