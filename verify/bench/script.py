"""Run in the environment that is measured, in the place of asv's own script: it says of each skip that it is one.

asv stores NaN for what was skipped and for what was measured as NaN. A `setup` that raises NotImplementedError says
so in what is printed, ``skip_params`` and a benchmark that raises SkipNotImplemented say nothing; here they all do.
Nothing but asv_runner and the standard library can be imported in every such environment.
"""

from __future__ import annotations

import os
import runpy
import sys
from typing import Any

from asv_runner.benchmarks import _base
from asv_runner.benchmarks.mark import SkipNotImplemented

REAL = "HIPPO_VERIFY_BENCH_SCRIPT"
"""Variable with the path of asv's script."""


def tell_skips() -> None:
    """Let every skip print what asv prints of one kind of them."""
    set_up, run = _base.Benchmark.do_setup, _base.Benchmark.do_run

    def do_setup(self: Any) -> Any:
        skipped = set_up(self)
        if skipped:
            print("asv: skipped")  # noqa: T201 -- asv reads what is printed
        return skipped

    def do_run(self: Any) -> Any:
        try:
            return run(self)
        except SkipNotImplemented as reason:
            print(f"asv: skipped: {reason!r}")  # noqa: T201 -- as above
            raise

    _base.Benchmark.do_setup, _base.Benchmark.do_run = do_setup, do_run


if __name__ == "__main__":
    sys.path.pop(0)  # our folder: a benchmark's imports are none of ours
    tell_skips()
    runpy.run_path(os.environ[REAL], run_name="__main__")
