"""Learning a task, the same for every cell: reproducible from its seed, and able to go on after an interruption."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verify.claims.base import Json, finite
from verify.claims.tasks import Split, Task
from verify.claims.workspace import Stopped, Workspace

PERIOD: Final = 15.0
"""Seconds between two checkpoints."""
OPTIMIZERS: Final = ("adam", "rmsprop", "sgd")
SCHEDULES: Final = ("constant", "cosine")


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A cell and a linear read-out.

    Attributes:
        cell: key of `verify.adapters.own_nn.CELLS`.
        hidden_size: numbers that the read-out reads.
        options: of the cell.
    """

    cell: str
    hidden_size: int
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How it is learnt.

    Attributes:
        learning_rate: of the optimizer.
        batch: sequences in a step.
        epochs: times that all of them are gone through.
        clip: largest norm of the gradient; None: it is left as it is.
        optimizer: ``adam``, ``rmsprop`` or ``sgd``.
        schedule: ``constant``, or ``cosine``: down to 0 over all steps.
        weight_decay: of the optimizer.
        patience: epochs without a better one on the validation split before it ends; None: all epochs are run.
    """

    learning_rate: float
    batch: int
    epochs: int
    clip: float | None = 1.0
    optimizer: str = "adam"
    schedule: str = "constant"
    weight_decay: float = 0.0
    patience: int | None = None

    def __post_init__(self) -> None:
        for name, right, accepted in (
            ("learning_rate", 0 < self.learning_rate < math.inf, "a finite number above 0"),
            ("batch", self.batch >= 1, "at least 1"),
            ("epochs", self.epochs >= 1, "at least 1"),
            ("clip", self.clip is None or self.clip > 0, "a number above 0, or None"),
            ("optimizer", self.optimizer in OPTIMIZERS, ", ".join(OPTIMIZERS)),
            ("schedule", self.schedule in SCHEDULES, ", ".join(SCHEDULES)),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "a finite number from 0"),
            ("patience", self.patience is None or self.patience >= 1, "at least 1, or None"),
        ):
            if not right:
                raise ValueError(f"recipe: {name} is {getattr(self, name)!r}; accepted: {accepted}")

    def rate(self, done: float) -> float:
        """The learning rate after a share of all steps."""
        return self.learning_rate * (0.5 * (1 + math.cos(math.pi * done)) if self.schedule == "cosine" else 1.0)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What came of it.

    Attributes:
        metrics: for ``train``, ``validation`` and each test: ``loss`` (cross-entropy in nats, or the mean squared
            error), ``accuracy`` (a share, not for ``regress``) and ``count`` (what was scored); with the weights of the
            best epoch. None for each number where no epoch had a finite loss.
        curve: for each epoch ``epoch``, ``train_loss``, ``validation_loss``, and ``validation_accuracy``.
        best_epoch: from 1; None where no epoch had a finite loss.
        diverged: the epoch in which the loss or a weight stopped being finite; None: it did not.
        parameters: that are learnt.
        seconds: of learning alone, all its parts together.
        steps_per_second: time steps of single sequences learnt from, in a second.
        module: the network with the weights of the best epoch; not part of the JSON.
    """

    metrics: Mapping[str, Mapping[str, float | None]]
    curve: tuple[Mapping[str, float | None], ...]
    best_epoch: int | None
    diverged: int | None
    parameters: int
    seconds: float
    steps_per_second: float | None
    module: Any = field(repr=False, compare=False)

    def to_json(self) -> dict[str, Json]:
        """All but the network."""
        return {
            "metrics": {name: dict(one) for name, one in self.metrics.items()},
            "curve": [dict(one) for one in self.curve],
            "best_epoch": self.best_epoch,
            "diverged": self.diverged,
            "parameters": self.parameters,
            "seconds": self.seconds,
            "steps_per_second": self.steps_per_second,
        }


def train(
    task: Task, model: ModelSpec, recipe: Recipe, seed: int, workspace: Workspace, device: str = "cpu"
) -> Trained:
    """Learn a task.

    The best epoch is the one of the highest accuracy on the validation split, of the lowest loss among equals, and for
    ``regress`` of the lowest loss. The same arguments give the same numbers, but for times, on a CPU: one thread is
    used, torch's generator is set from the seed and given back, and what was interrupted goes on to the very same
    numbers. A loss that is no longer finite ends it, and is a result.

    Args:
        task: what is learnt.
        model: what learns it.
        recipe: how.
        seed: of the first weights and of the order of the sequences.
        workspace: keeps checkpoints, by time; what it is stopped in goes on from there.
        device: of torch.

    Raises:
        Stopped: it was asked to end; the same call goes on.
        ValueError: a model that cannot be.
        ModuleNotFoundError: a library is missing; the message names it.
    """
    import torch  # noqa: PLC0415 -- a guest

    threads = torch.get_num_threads()
    devices = [device] if torch.device(device).type == "cuda" else []
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=devices):
            return _Run(task, model, recipe, seed, workspace, device).trained()
    finally:
        torch.set_num_threads(threads)


def predict(module: Any, split: Split, size: int = 256) -> NDArray[Any]:
    """What a trained network answers, sequence by sequence.

    Args:
        module: `Trained.module`.
        split: its targets are not read.
        size: sequences at once.

    Returns:
        The class of each (n,), the symbol at each step (n, L), or the numbers, shaped as the targets.
    """
    from verify.claims.network import Batch, answers  # noqa: PLC0415

    data = Batch.of(split, str(next(module.parameters()).device))
    found = [outputs.cpu().numpy() for _, outputs in answers(module, data, size)]
    whole = np.concatenate(found)
    return whole if module.kind == "regress" else whole.argmax(-1)


class _Run:
    """One training under way; `state` is all that a checkpoint needs beside the network and the optimizer."""

    def __init__(
        self, task: Task, model: ModelSpec, recipe: Recipe, seed: int, workspace: Workspace, device: str
    ) -> None:
        import torch  # noqa: PLC0415

        from verify.claims.network import Batch, Network  # noqa: PLC0415

        self.task, self.recipe, self.workspace = task, recipe, workspace
        torch.manual_seed(seed)
        last = task.kind == "classify" or (task.kind == "regress" and task.train.targets.ndim == 2)
        size = task.train.inputs.shape[2]
        self.network = Network(
            model.cell, size, model.hidden_size, task.outputs, model.options, kind=task.kind, last=last
        ).to(device)  # fmt: skip
        self.optimizer = _optimizer(recipe, self.network.parameters())
        self.data = {name: Batch.of(split, device) for name, split in task.splits()}
        self.batches = math.ceil(len(task.train) / recipe.batch)
        self.state: dict[str, Any] = {
            "epoch": 0, "position": 0, "order": None, "loss": 0.0, "count": 0, "curve": [], "best": None,
            "best_epoch": None, "weights": None, "diverged": None, "metrics": {}, "seconds": 0.0,
            "steps": 0,
        }  # fmt: skip
        about = [task.digest(), asdict(model), asdict(recipe), seed, device]
        self.name = "training-" + hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
        self.saved = time.monotonic()
        kept = workspace.load(self.name)
        if kept is not None:
            self.state = kept["state"]
            self.network.load_state_dict(kept["network"])
            self.optimizer.load_state_dict(kept["optimizer"])
            torch.set_rng_state(kept["generator"])

    def trained(self) -> Trained:
        """Learn to the end."""
        state = self.state
        while not self.ended():
            self.epoch()
        if state["weights"] is not None:
            self.network.load_state_dict(state["weights"])
        for name in self.data:
            if name not in state["metrics"]:
                state["metrics"][name] = self.evaluated(name) if state["weights"] is not None else self.nothing()
        self.save()  # a unit that trains several goes on after those that are done
        seconds = state["seconds"]
        return Trained(
            metrics=state["metrics"], curve=tuple(state["curve"]),
            best_epoch=state["best_epoch"], diverged=state["diverged"],
            parameters=sum(one.numel() for one in self.network.parameters() if one.requires_grad), seconds=seconds,
            steps_per_second=state["steps"] / seconds if seconds > 0 else None, module=self.network,
        )  # fmt: skip

    def ended(self) -> bool:
        """Whether nothing is left to learn."""
        state, patience = self.state, self.recipe.patience
        bored = patience is not None and state["epoch"] - (state["best_epoch"] or 0) >= patience
        return state["diverged"] is not None or state["epoch"] >= self.recipe.epochs or bored

    def epoch(self) -> None:
        """Learn from every sequence once, from where it stands; then look at the validation split."""
        import torch  # noqa: PLC0415

        state = self.state
        if state["order"] is None:
            state["order"] = torch.randperm(len(self.task.train))
        while state["position"] < self.batches:
            self.pause()
            if not self.step():
                state["diverged"] = state["epoch"] + 1
                return
        found = self.evaluated("validation")
        state["epoch"] += 1
        state["curve"].append({
            "epoch": state["epoch"], "train_loss": finite(state["loss"] / state["count"]),
            "validation_loss": found["loss"], "validation_accuracy": found.get("accuracy"),
        })  # fmt: skip
        state |= {"position": 0, "order": None, "loss": 0.0, "count": 0}
        if found["loss"] is None:
            state["diverged"] = state["epoch"]
            return
        rank = [-(found.get("accuracy") or 0.0), found["loss"]]
        if state["best"] is None or rank < state["best"]:
            weights = {name: one.detach().clone() for name, one in self.network.state_dict().items()}
            state |= {"best": rank, "best_epoch": state["epoch"], "weights": weights}

    def step(self) -> bool:
        """Learn from one batch; False where a number is no longer finite."""
        import torch  # noqa: PLC0415

        from verify.claims.network import score  # noqa: PLC0415

        state, recipe = self.state, self.recipe
        begun = time.perf_counter()
        start = state["position"] * recipe.batch
        batch = self.data["train"].pick(
            state["order"][start : start + recipe.batch].to(self.data["train"].inputs.device)
        )
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate(
                (state["epoch"] * self.batches + state["position"]) / (recipe.epochs * self.batches)
            )
        self.optimizer.zero_grad()
        one = score(self.task.kind, self.network(batch), batch)
        loss = float(one.loss.detach())
        if one.count:
            (one.loss / one.count).backward()
            limit = math.inf if recipe.clip is None else recipe.clip
            norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), limit)
            if not (math.isfinite(loss) and math.isfinite(float(norm))):
                return False
            self.optimizer.step()
        state["loss"] += loss
        state["count"] += one.count
        state["position"] += 1
        state["steps"] += batch.steps()
        state["seconds"] += time.perf_counter() - begun
        done = (state["epoch"] + state["position"] / self.batches) / recipe.epochs
        self.workspace.report(done, f"epoch {state['epoch'] + 1} of {recipe.epochs}")
        return True

    def evaluated(self, name: str) -> dict[str, float | None]:
        """Metrics of a split with the weights as they are."""
        from verify.claims.network import evaluate  # noqa: PLC0415

        return evaluate(self.network, self.data[name], self.recipe.batch, self.pause)

    def nothing(self) -> dict[str, float | None]:
        """Metrics of a split where there are none."""
        names = ("loss", "count") if self.task.kind == "regress" else ("loss", "count", "accuracy")
        return dict.fromkeys(names)

    def pause(self) -> None:
        """Save where it is time to, or where it is to end."""
        stop = self.workspace.stop_requested()
        if stop or time.monotonic() - self.saved >= PERIOD:
            self.save()
        if stop:
            raise Stopped

    def save(self) -> None:
        """A checkpoint that learning goes on from."""
        import torch  # noqa: PLC0415

        content = {
            "state": self.state, "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(),
            "generator": torch.get_rng_state(),
        }  # fmt: skip
        self.workspace.save(self.name, content)
        self.saved = time.monotonic()


def _optimizer(recipe: Recipe, parameters: Any) -> Any:
    import torch  # noqa: PLC0415

    kind = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}[recipe.optimizer]
    return kind(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
