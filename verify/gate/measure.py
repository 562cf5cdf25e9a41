"""Measures the benchmarks of one tree, one process each: a program of its own, run by its path.

It imports the standard library and ``asv_runner`` alone, since the tree that it measures may be an old one, and what
is imported of `verify` has to be that tree's. ``python measure.py TREE BENCHMARKS`` answers requests on standard input
with a line of JSON each on standard output; non-finite numbers are the texts ``nan``, ``inf`` and ``-inf``. ::

    {"do": "list", "distributions": [...]}
    {"do": "cache", "name": ..., "folder": ..., "timeout": ...}
    {"do": "measure", "name": ..., "folder": ..., "timeout": ..., "index": ..., "budget": ..., "number": ...,
     "slow": ...}

Every cache is made, and every benchmark runs, in a child of this process, which is stopped with all it started when its
time is over: what hangs, crashes or uses up the memory is that benchmark alone. After ``list`` the children have all
modules of the suite imported, as under asv; without it each imports what it needs, which peak memory asks for.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import itertools
import json
import math
import os
import pickle
import platform
import select
import signal
import statistics
import sys
import time
import traceback
from pathlib import Path
from types import FrameType, ModuleType
from typing import IO, Any, NoReturn

WARMUP = 0.1
"""Largest warm-up in seconds, asv's own."""
MOST = 1000
"""Samples in a round, of which the median is taken."""
GRACE = 10.0
"""Seconds that a child has to leave after its answer."""
TOLD = 500
"""Characters of a reason."""

Answer = dict[str, Any]


class Suite:
    """The benchmarks of a tree.

    Args:
        tree: the root of the project, first on the path of imports.
        folder: the folder of its benchmarks.
    """

    def __init__(self, tree: Path, folder: Path) -> None:
        self.tree = tree
        self.folder = folder
        self.listed: dict[str, Any] = {}

    def get(self, name: str, index: int | None) -> Any:
        """A benchmark, with its parameters chosen."""
        from asv_runner.discovery import get_benchmark_from_name  # noqa: PLC0415 -- after the path is set

        found = self.listed.get(name) or get_benchmark_from_name(str(self.folder), name)
        if index is not None:
            found.set_param_idx(index)
        return found

    def list(self, distributions: list[str]) -> Answer:
        """All benchmarks, a row for each choice of parameters; modules that cannot be imported, with the reason."""
        from asv_runner.discovery import disc_benchmarks, update_sys_path  # noqa: PLC0415

        update_sys_path(str(self.folder))
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            self.listed = {found.name: found for found in disc_benchmarks(str(self.folder), ignore_import_errors=True)}
        sys.stderr.write(said.getvalue())
        rows = [row for found in self.listed.values() for row in _rows(found)]
        return {"benchmarks": rows, "broken": self._broken(), "environment": _environment(distributions)}

    def _broken(self) -> dict[str, str]:
        """The modules below the folder that were not imported, each with what its import raises."""
        found = {}
        for path in sorted(self.folder.rglob("*.py")):
            parts = path.relative_to(self.folder.parent).with_suffix("").parts
            packaged = all((parent / "__init__.py").exists() for parent in _parents(path, self.folder))
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            if packaged and name not in sys.modules and all(part.isidentifier() for part in parts):
                try:
                    importlib.import_module(name)
                except BaseException as error:  # noqa: BLE001 -- it is the benchmark's code
                    found[".".join(name.split(".")[1:]) or name] = _reason(error)
        return found

    def strangers(self) -> str:
        """Empty, or which module of the tree was imported from elsewhere: what was measured is then not the tree."""
        for root in (self.tree, self.tree / "src"):
            for path in root.glob("*"):
                name = path.stem if path.suffix == ".py" else path.name
                if path.suffix != ".py" and not (path / "__init__.py").exists():
                    continue
                module = sys.modules.get(name)
                origin = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
                if name != "__main__" and origin and not Path(origin).resolve().is_relative_to(self.tree.resolve()):
                    return f"{name} was imported from {origin}, not from the tree that is measured"
        return ""


def _parents(path: Path, top: Path) -> list[Path]:
    """The folders between a file and the top, both ends without and with."""
    return list(itertools.takewhile(lambda folder: folder != top.parent, path.parents))


def _rows(benchmark: Any) -> list[Answer]:
    """A row for each choice of parameters, spelt as ``asv compare`` spells them."""
    chosen = list(itertools.product(*benchmark.params)) if benchmark.params else [()]
    shared = {
        "benchmark": benchmark.name,
        "type": benchmark.type,
        "unit": benchmark.unit,
        "version": benchmark.version,
        "cache": benchmark.setup_cache_key,
        "timeout": benchmark.timeout,
        "cache_timeout": benchmark.setup_cache_timeout,
    }
    return [
        {
            **shared,
            "name": f"{benchmark.name}({', '.join(parameters)})" if parameters else benchmark.name,
            "index": number if parameters else None,
        }
        for number, parameters in enumerate(chosen)
    ]


def _environment(distributions: list[str]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def make_cache(suite: Suite, request: Answer) -> Answer:
    """Compute what ``setup_cache`` returns, once for all benchmarks that share it; it lies in the working folder."""
    found = suite.get(request["name"], None)
    content = found.do_setup_cache()
    with open("cache.pickle", "wb") as file:
        pickle.dump(content, file)
    return {"status": "measured"}


def measure(suite: Suite, request: Answer) -> Answer:
    """Set up, run and tear down one benchmark; the value is the median of its samples, or what it returned."""
    from asv_runner.benchmarks.mark import SkipNotImplemented  # noqa: PLC0415

    found = suite.get(request["name"], request["index"])
    if found.setup_cache_key is not None:
        found.set_cache(pickle.loads(Path("cache.pickle").read_bytes()))  # noqa: S301 -- we wrote it
    reasons: list[str] = []
    found._setups = [_noting(setup, reasons) for setup in found._setups]
    if request["slow"] != 1:
        found.func = slowed(found.func, request["slow"])
    if found.do_setup():
        return {"status": "skipped", "why": reasons[0] if reasons else "skip_params of the benchmark"}
    if hasattr(found, "repeat"):
        _spend(found, request["budget"], request["number"])
    try:
        result = found.do_run()
    except SkipNotImplemented as reason:
        return {"status": "skipped", "why": _short(str(reason) or "not implemented")}
    finally:
        found.do_teardown()
    if isinstance(result, dict) and set(result) == {"samples", "number"}:
        return {
            "status": "measured",
            "value": _number(statistics.median(result["samples"])),
            "number": int(result["number"]),
            "samples": len(result["samples"]),
        }
    if result is None or isinstance(result, str | bytes | bool) or not hasattr(result, "__float__"):
        return {"status": "failed", "why": _short(f"it returned {result!r}; accepted: a number")}
    return {"status": "measured", "value": _number(float(result))}


def _noting(setup: Any, reasons: list[str]) -> Any:
    """A set-up that leaves word why it skips: asv only prints it."""

    def noted(*arguments: Any) -> Any:
        try:
            return setup(*arguments)
        except NotImplementedError as error:
            reasons.append(_short(str(error) or "not implemented"))
            raise

    return noted


def slowed(function: Any, factor: float) -> Any:
    """A function that keeps the processor busy after each call, until the call has taken so many times as long."""

    def slow(*arguments: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments)
        end = start + factor * (time.perf_counter() - start)
        while time.perf_counter() < end:
            pass
        return result

    return slow


def _spend(benchmark: Any, budget: float, number: int) -> None:
    """Let asv sample as long as the budget allows; what an author chose about repetitions stays."""
    if number:
        benchmark.number = number
    if benchmark.warmup_time < 0:
        benchmark.warmup_time = min(WARMUP, budget / 4)
    if benchmark.repeat == 0:
        benchmark.repeat = (1, MOST, budget)


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else repr(value)


def _reason(error: BaseException) -> str:
    return _short("".join(traceback.format_exception_only(error)).strip().splitlines()[-1])


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= TOLD else text[:TOLD] + "..."


WORK = {"cache": make_cache, "measure": measure}


def apart(suite: Suite, request: Answer) -> Answer:
    """Do a piece of work in a child; whatever becomes of it, there is an answer."""
    start = time.monotonic()
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(suite, request, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            line, late = _line(pipe, start + request["timeout"])
    except BaseException:
        _leave(child, 0)
        raise
    if line.endswith(b"\n"):
        _leave(child, GRACE)
        return {**json.loads(line), "seconds": time.monotonic() - start}
    code = _leave(child, 0 if late else GRACE)
    if late:
        return {"status": "failed", "why": f"no answer within {request['timeout']:g} seconds: stopped"}
    return {"status": "failed", "why": f"the process ended without an answer: {_ending(code)}"}


def _work(suite: Suite, request: Answer, writing: int) -> NoReturn:
    """The child: it answers into the pipe, and is gone without any of the parent's clean-up."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the requests are not the benchmark's to read
        os.chdir(request["folder"])
        answer = WORK[request["do"]](suite, request)
        strange = suite.strangers()
        if strange:
            answer = {"status": "failed", "why": strange}
    except BaseException as error:  # noqa: BLE001 -- it is the benchmark's code
        traceback.print_exc()
        answer = {"status": "failed", "why": _reason(error)}
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write((json.dumps(answer) + "\n").encode())
    os._exit(0)


def _line(pipe: IO[bytes], deadline: float) -> tuple[bytes, bool]:
    """A line, or what there is of it; and whether the time was over."""
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return line, True
        part = pipe.read(65536)
        if not part:
            break
        line += part
    return line, False


def _leave(child: int, patience: float) -> int:
    """Wait for a child, then stop it and all that it started; its status."""
    end = time.monotonic() + patience
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < end:
        time.sleep(0.001)
        ended, status = os.waitpid(child, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    if not ended:
        os.kill(child, signal.SIGKILL)  # it may not have got as far as a group of its own
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main(tree: Path, folder: Path) -> None:
    """Answer requests until there are no more."""
    here = str(Path(__file__).resolve().parent)
    others = (entry for entry in sys.path if entry and os.path.realpath(entry) != here)
    sys.path[:] = [str(tree), str(tree / "src"), *others]
    importlib.import_module("asv_runner.discovery")  # without it no side can be measured: end here, and say so
    signal.signal(signal.SIGTERM, _stop)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a benchmark prints is no answer
    suite = Suite(tree, folder)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "list":
            try:
                answer = suite.list(request["distributions"])
            except BaseException as error:  # noqa: BLE001 -- it is the benchmark's code
                traceback.print_exc()
                answer = {"benchmarks": [], "broken": {folder.name: _reason(error)}, "environment": {}}
        else:
            answer = apart(suite, request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
