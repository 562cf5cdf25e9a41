"""The program that publishes speed on a device: its checks and its page, on the processor with an injected clock."""

import json

import numpy as np
import pytest

from asv_benchmarks import speed_gpu
from asv_benchmarks.tasks import Task

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture
def processor(monkeypatch):
    """No device, small tasks, and calls that take a millisecond each."""
    monkeypatch.setattr(speed_gpu, "DEVICE", "cpu")
    monkeypatch.setattr(speed_gpu, "seconds", lambda call: (call(), [1e-3] * 3)[1])
    rates = {"fill": 1e12, "copy": 1e12} | {f"{k} {d}": 1e12 for k in ("fma", "gemm") for d in ("float32", "float64")}
    monkeypatch.setattr(speed_gpu, "ceilings", lambda: rates)
    seen = {"device": "none", "multiprocessors": 1, "python": "3", "numpy": "2", "torch": "2", "triton": "3"}
    monkeypatch.setattr(speed_gpu, "machine", lambda: seen)
    for name in ("RATES", "STATES", "INVARIANT", "GRADIENTS", "AGAINST", "GROWTH"):
        few = [t.with_(order=min(t.order, 16), length=20, streams=min(t.streams, 4)) for t in getattr(speed_gpu, name)]
        monkeypatch.setattr(speed_gpu, name, [t.with_(order=8 * (i + 1)) for i, t in enumerate(few)][:6])


def test_the_page_has_every_rate_peer_and_gradient(processor, tmp_path, capsys):
    speed_gpu.main(["--markdown", str(tmp_path / "page.md"), "--json", str(tmp_path / "all.json")])
    page, run = (tmp_path / "page.md").read_text(), json.loads((tmp_path / "all.json").read_text())
    assert capsys.readouterr().out == page
    assert all(row["share"] <= 1 for row in run["rates"] + run["growth"])
    assert "| differs" not in page
    for task in speed_gpu.RATES + speed_gpu.STATES + speed_gpu.INVARIANT:
        assert f"| {task} " in page
    assert page.count("textbook loop, torch, on the device") == 3
    assert page.count("this jax sees no GPU") + page.count("not installed") >= len(speed_gpu.AGAINST)
    assert page.count(" 1.00") >= len(run["gradients"])


@pytest.mark.parametrize("output", ["last", "states"])
@pytest.mark.parametrize("streams", [1, 5])
def test_a_wrong_answer_is_named_and_not_timed(processor, monkeypatch, output, streams):
    task = Task(order=8, length=20, streams=streams, output=output)
    right = speed_gpu.hippo_fast.scan
    assert "seconds" in speed_gpu.rate(task)

    def wrong(samples, *arguments, **keywords):
        return right(samples, *arguments, **keywords) * (1 + 1e-9)

    monkeypatch.setattr(speed_gpu.hippo_fast, "scan", wrong)
    samples, scan = speed_gpu.on_device(task)
    monkeypatch.setattr(speed_gpu.hippo_fast, "scan", right)
    monkeypatch.setattr(speed_gpu, "on_device", lambda task: (samples, scan))
    row = speed_gpu.rate(task)
    assert "seconds" not in row
    assert row["note"].startswith("differs: error")


def test_the_streams_compared_are_the_first_of_the_task(processor):
    task = Task(order=4, length=6, streams=5)
    answer = torch.from_numpy(np.asarray(speed_gpu.hippo_fast.scan(task.samples, "legs", 4, output="last")))
    assert speed_gpu.share(task, answer) <= 1
    assert speed_gpu.share(task, answer.flip(0)) > 1


def test_without_a_device_it_says_so(capsys):
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is present")
    with pytest.raises(SystemExit):
        speed_gpu.main([])
    assert "torch sees no CUDA device; expected one" in capsys.readouterr().err
