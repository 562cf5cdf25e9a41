"""Learning is reproducible, goes on where it was stopped, ends where it diverges, and refuses data that cannot be."""

import math
from dataclasses import replace

import numpy as np
import pytest

from verify.claims.tasks import UNSCORED, Split, Task
from verify.claims.training import ModelSpec, Recipe, predict, train
from verify.claims.workspace import Stopped, Workspace

torch = pytest.importorskip("torch", reason="torch is in the torch extra")

GRU = ModelSpec(cell="gru", hidden_size=6)
RECIPE = Recipe(learning_rate=0.02, batch=16, epochs=4)


def signs(n, seed, length=10):
    """Whether the numbers of the first channel sum to more than 0."""
    inputs = np.random.default_rng(seed).standard_normal((n, length, 2)).astype(np.float32)
    return Split(inputs=inputs, targets=(inputs[:, :, 0].sum(1) > 0).astype(np.int64))


def task(**changes):
    known = {
        "key": "signs", "title": "Signs", "kind": "classify", "outputs": 2,
        "train": signs(48, 0), "validation": signs(32, 1), "tests": {"test": signs(32, 2)},
    }  # fmt: skip
    return Task(**{**known, **changes})


def weights(trained):
    return [one.tolist() for one in trained.module.state_dict().values()]


def numbers(trained):
    found = trained.to_json()
    return {name: one for name, one in found.items() if name not in ("seconds", "steps_per_second")}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return train(task(), GRU, RECIPE, 3, Workspace(tmp_path_factory.mktemp("unbroken")))


def test_it_learns(unbroken, tmp_path):
    better = train(task(), GRU, replace(RECIPE, epochs=12), 3, Workspace(tmp_path))
    assert unbroken.curve[0]["validation_accuracy"] < 0.7
    assert better.metrics["test"]["accuracy"] > 0.85
    assert better.parameters == 3 * 6 * (2 + 6 + 2) + 6 * 2 + 2 == unbroken.parameters
    assert better.metrics["test"]["count"] == 32
    assert len(better.curve) == 12
    assert better.steps_per_second * better.seconds == pytest.approx(12 * 48 * 10)
    answers = predict(better.module, task().tests["test"], size=7)
    assert (answers == task().tests["test"].targets).mean() == better.metrics["test"]["accuracy"]


def test_the_same_seed_gives_the_same_numbers(unbroken, tmp_path):
    torch.manual_seed(99)  # what others draw changes nothing, and is not changed
    drawn = torch.rand(1)
    torch.manual_seed(99)
    again = train(task(), GRU, RECIPE, 3, Workspace(tmp_path))
    assert torch.rand(1) == drawn
    assert numbers(again) == numbers(unbroken)
    assert weights(again) == weights(unbroken)
    other = train(task(), GRU, RECIPE, 4, Workspace(tmp_path))
    assert weights(other) != weights(unbroken)


class Stopping:
    """Asks to end at the n-th time that it is asked itself, for each n of some."""

    def __init__(self, *moments):
        self.moments = moments
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return self.asked in self.moments


def parts(folder, stopping, **changes):
    """Learn until the end, however often it is stopped; how often that was."""
    given = {"task": task(), "model": GRU, "recipe": RECIPE, **changes}
    stops = 0
    while True:
        try:
            return train(*given.values(), 3, Workspace(folder, stop=stopping)), stops
        except Stopped:
            stops += 1


# An epoch asks 3 times to learn and 2 times to look: in its middle, at its end, while it looks, and while it tests.
@pytest.mark.parametrize("moments", [(1,), (2,), (4,), (5,), (8, 9), (21,), (23, 24), (3, 7, 12, 13, 14, 19, 22, 26)])
def test_what_was_stopped_gives_the_same_numbers(unbroken, tmp_path, moments):
    found, stops = parts(tmp_path, Stopping(*moments))
    assert stops == len(moments)
    assert numbers(found) == numbers(unbroken)
    assert weights(found) == weights(unbroken)


def test_a_schedule_and_momentum_go_on_too(tmp_path):
    recipe = replace(RECIPE, schedule="cosine", optimizer="rmsprop", weight_decay=1e-3, patience=2)
    whole, _ = parts(tmp_path / "whole", Stopping(), recipe=recipe)
    broken, stops = parts(tmp_path / "broken", Stopping(4, 9, 13), recipe=recipe)
    assert stops == 3
    assert numbers(broken) == numbers(whole)


def test_what_was_killed_goes_on_from_the_last_checkpoint(unbroken, tmp_path, monkeypatch):
    """Checkpoints are written by time; here at each batch."""
    monkeypatch.setattr("verify.claims.training.PERIOD", 0.0)
    saved = []

    class Mortal(Workspace):
        def save(self, name, content):
            super().save(name, content)
            saved.append(name)
            if len(saved) == 7:
                raise KeyboardInterrupt  # nothing is saved after it

    with pytest.raises(KeyboardInterrupt):
        train(task(), GRU, RECIPE, 3, Mortal(tmp_path))
    monkeypatch.setattr("verify.claims.training.PERIOD", math.inf)
    reports = []
    found = train(
        task(), GRU, RECIPE, 3, Workspace(tmp_path, on_report=lambda fraction, text: reports.append(fraction))
    )
    assert numbers(found) == numbers(unbroken)
    assert 0 < len(reports) < 4 * 3  # not from the beginning
    assert reports == sorted(reports)
    assert reports[-1] == 1.0


def test_checkpoints_are_by_time(tmp_path):
    saved = []

    class Counting(Workspace):
        def save(self, name, content):
            saved.append(name)

    train(task(), GRU, RECIPE, 3, Counting(tmp_path))
    assert len(saved) == 1  # what was learnt, at the end


def test_what_was_learnt_is_not_learnt_again(unbroken, tmp_path):
    train(task(), GRU, RECIPE, 3, Workspace(tmp_path))
    reports = []
    again = train(task(), GRU, RECIPE, 3, Workspace(tmp_path, on_report=lambda *said: reports.append(said)))
    assert reports == []
    assert numbers(again) == numbers(unbroken)


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": replace(RECIPE, learning_rate=0.03)},
        {"model": ModelSpec(cell="gru", hidden_size=5)},
        {"task": task(train=signs(48, 9))},
        {"task": task(validation=signs(32, 9))},
    ],
)
def test_a_checkpoint_of_something_else_is_not_used(tmp_path, change):
    parts(tmp_path, Stopping())
    fresh, _ = parts(tmp_path / "fresh", Stopping(), **change)
    beside, _ = parts(tmp_path, Stopping(), **change)
    assert numbers(beside) == numbers(fresh)


def test_a_torn_checkpoint_is_none(unbroken, tmp_path):
    with pytest.raises(Stopped):
        train(task(), GRU, RECIPE, 3, Workspace(tmp_path, stop=Stopping(8)))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-200])
    assert numbers(train(task(), GRU, RECIPE, 3, Workspace(tmp_path))) == numbers(unbroken)


def test_the_best_epoch_counts(tmp_path):
    """Learnt by heart, it gets worse on what it has not seen: the numbers are those of the best epoch."""
    recipe = replace(RECIPE, learning_rate=0.1, epochs=10)
    found = train(task(train=signs(16, 5)), GRU, recipe, 3, Workspace(tmp_path))
    looks = [(-one["validation_accuracy"], one["validation_loss"]) for one in found.curve]
    assert found.best_epoch == 1 + looks.index(min(looks)) < 10
    best = found.curve[found.best_epoch - 1]
    assert found.metrics["validation"]["accuracy"] == best["validation_accuracy"]
    assert found.metrics["validation"]["loss"] == best["validation_loss"]
    bored = train(task(train=signs(16, 5)), GRU, replace(recipe, patience=1), 3, Workspace(tmp_path))
    assert len(bored.curve) == min(i for i in range(1, 10) if looks[i] >= min(looks[:i])) + 1


def test_divergence_is_a_result(tmp_path):
    recipe = Recipe(learning_rate=1e30, batch=16, epochs=5, clip=None, optimizer="sgd")
    regress = task(
        kind="regress", outputs=1, **{
            name: replace(split, targets=split.inputs[:, -1, :1]) for name, split in
            (("train", signs(48, 0)), ("validation", signs(32, 1)))
        }, tests={"test": replace(signs(32, 2), targets=signs(32, 2).inputs[:, -1, :1])},
    )  # fmt: skip
    found = train(regress, GRU, recipe, 3, Workspace(tmp_path))
    assert found.diverged == 1
    assert found.best_epoch is None
    assert found.metrics["test"] == {"loss": None, "count": None}
    assert train(regress, GRU, recipe, 3, Workspace(tmp_path)).to_json() == found.to_json()


@pytest.mark.parametrize("each", [False, True])
def test_numbers_are_learnt_at_the_end_or_at_each_step(tmp_path, each):
    """The mean square of the error of each number, the padding left out."""

    def split(n, seed):
        rng = np.random.default_rng(seed)
        inputs = rng.standard_normal((n, 7, 1)).astype(np.float32)
        lengths = rng.integers(3, 8, n)
        targets = inputs * 0.5 + 1
        if each:
            targets[np.arange(7) >= lengths[:, None]] = np.nan  # never read
        else:
            targets = targets[np.arange(n), lengths - 1]
        return Split(inputs=inputs, targets=targets, lengths=lengths)

    data = Task(
        key="half", title="", kind="regress", outputs=1, train=split(64, 0), validation=split(16, 1),
        tests={"test": split(16, 2)},
    )  # fmt: skip
    found = train(data, ModelSpec(cell="rnn", hidden_size=8), replace(RECIPE, epochs=30), 1, Workspace(tmp_path))
    test = data.tests["test"]
    assert found.metrics["test"]["loss"] < 0.05
    assert found.metrics["test"]["count"] == (test.lengths.sum() if each else 16)
    errors = predict(found.module, test) - test.targets
    assert found.metrics["test"]["loss"] == pytest.approx(np.nanmean(errors**2), rel=1e-5)
    assert "accuracy" not in found.metrics["test"]


def test_symbols_are_learnt_where_they_are_asked(tmp_path):
    """The sign of the sample before; the first step asks nothing."""

    def split(n, seed):
        inputs = np.random.default_rng(seed).standard_normal((n, 8, 1)).astype(np.float32)
        targets = np.full((n, 8), UNSCORED)
        targets[:, 1:] = inputs[:, :-1, 0] > 0
        return Split(inputs=inputs, targets=targets)

    data = Task(
        key="before", title="", kind="copy", outputs=2, train=split(64, 0), validation=split(32, 1),
        tests={"test": split(32, 2)},
    )  # fmt: skip
    found = train(data, ModelSpec(cell="rnn", hidden_size=8), replace(RECIPE, epochs=25), 1, Workspace(tmp_path))
    assert found.metrics["test"]["accuracy"] > 0.8
    assert found.metrics["test"]["count"] == 32 * 7
    assert predict(found.module, data.tests["test"]).shape == (32, 8)


def test_times_and_missing_samples_reach_the_cell(tmp_path):
    split = signs(32, 0)
    times = np.cumsum(np.random.default_rng(4).uniform(0.5, 2, (32, 10)), axis=1)
    observed = np.random.default_rng(5).random((32, 10)) < 0.8
    inputs = np.where(observed[..., None], split.inputs, np.nan).astype(np.float32)
    timed = replace(split, inputs=inputs, times=times, observed=observed)
    model = ModelSpec(cell="hippo", hidden_size=6, options={"memory_order": 4})
    recipe = replace(RECIPE, epochs=1)
    found = [
        train(task(train=one), model, recipe, 0, Workspace(tmp_path)).curve[0]["train_loss"]
        for one in (split, replace(split, times=times), replace(timed, times=None), timed)
    ]
    assert len(set(found)) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate is 0.0; accepted: a finite number above 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"batch": 0}, "batch is 0; accepted: at least 1"),
        ({"epochs": 0}, "epochs is 0; accepted: at least 1"),
        ({"clip": 0.0}, "clip is 0.0; accepted: a number above 0, or None"),
        ({"optimizer": "magic"}, "optimizer is 'magic'; accepted: adam, rmsprop, sgd"),
        ({"schedule": "magic"}, "schedule is 'magic'; accepted: constant, cosine"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"patience": 0}, "patience is 0; accepted: at least 1, or None"),
    ],
)
def test_recipes_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValueError, match=f"^recipe: {message}"):
        replace(RECIPE, **changes)


def test_a_cell_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cell"):
        train(task(), ModelSpec(cell="magic", hidden_size=3), RECIPE, 0, Workspace(tmp_path))


def test_checkpoints_have_plain_names(tmp_path):
    with pytest.raises(ValueError, match=r"a checkpoint is called '\.\./x'; accepted: letters, digits, - and _"):
        Workspace(tmp_path).save("../x", 1)
    assert Workspace(tmp_path).load("nothing") is None


# Data that cannot be learnt from.


def broken(name, index, value):
    split = signs(48, 0)
    array = getattr(split, name).copy()
    array[index] = value
    return replace(split, **{name: array})


TIMES = np.tile(np.arange(10.0), (48, 1))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (broken("inputs", (3, 2, 1), np.nan), r"split 'train': inputs\[3, 2, 1\] is nan; accepted: finite numbers"),
        (broken("inputs", (0, 0, 0), np.inf), r"inputs\[0, 0, 0\] is inf"),
        (broken("targets", 5, 2), r"targets\[5\] is 2; accepted: 0 to 1$"),
        (broken("targets", 5, -1), r"targets\[5\] is -1; accepted: 0 to 1$"),
        (signs(0, 0), r"inputs have shape \(0, 10, 2\); accepted: \(sequences, steps, numbers\), none of 0"),
        (replace(signs(48, 0), inputs=np.zeros((48, 10), np.float32)), r"inputs have shape \(48, 10\)"),
        (replace(signs(48, 0), inputs=np.zeros((48, 10, 2))), "inputs are float64; accepted: an array of float32"),
        (replace(signs(48, 0), inputs=[[[1.0]]]), "inputs are a list; accepted: an array of float32"),
        (replace(signs(48, 0), targets=np.zeros(47, int)), r"targets have shape \(47,\); expected \(48,\) of a task"),
        (replace(signs(48, 0), targets=np.zeros(48)), "targets are float64; accepted: an array of integers"),
        (replace(signs(48, 0), lengths=np.zeros(48, int)), "lengths are 0 to 0; accepted: 1 to 10, the steps"),
        (replace(signs(48, 0), lengths=np.full(48, 11)), "lengths are 11 to 11; accepted: 1 to 10"),
        (replace(signs(48, 0), lengths=np.full(47, 3)), r"lengths have shape \(47,\); expected \(48,\) beside inputs"),
        (replace(signs(48, 0), times=TIMES[:, ::-1]), r"times\[0, 1\] is 8.0 after 9.0; accepted: increasing times"),
        (replace(signs(48, 0), times=TIMES * np.nan), r"times\[0, 0\] is nan; accepted: finite times"),
        (replace(signs(48, 0), times=TIMES[:, :9]), r"times have shape \(48, 9\); expected \(48, 10\)"),
        (replace(signs(48, 0), observed=TIMES), "observed are float64; accepted: an array of bool"),
    ],
)  # fmt: skip
def test_bad_data_is_refused(split, message):
    with pytest.raises((ValueError, TypeError), match=message):
        task(train=split)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "guess"}, "task 'signs': kind is 'guess'; accepted: classify, regress, copy"),
        ({"outputs": 0}, "outputs is 0; accepted: at least 1"),
        ({"tests": {}}, r"tests are \[\]; accepted: one or more other names"),
        ({"tests": {"train": signs(4, 1)}}, r"tests are \['train'\]"),
        ({"tests": {"test": signs(48, 0)}}, "48 of 48 sequences of split 'test' are in the training split as well"),
        ({"validation": signs(48, 0)}, "48 of 48 sequences of split 'validation' are in the training split as well"),
        (
            {"validation": replace(signs(32, 1), inputs=np.zeros((32, 10, 3), np.float32))},
            "split 'validation': a sample has 3 numbers; expected 2, as in the training split",
        ),
    ],
)
def test_bad_tasks_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        task(**changes)


def test_what_is_not_read_may_be_anything():
    """In the padding, where nothing was seen, and where a target does not count."""
    split = signs(48, 0)
    lengths = np.full(48, 4)
    inputs = split.inputs.copy()
    inputs[:, 4:] = np.nan
    times = TIMES.copy()
    times[:, 4:] = np.nan
    inputs[3, 2] = np.nan
    observed = ~np.isnan(inputs).any(-1)
    task(train=replace(split, inputs=inputs, times=times, lengths=lengths, observed=observed))
