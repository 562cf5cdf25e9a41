"""Memory: one sample at a time, many at once, read-outs, and the way to a file and back."""

import functools
import inspect
import os
import tempfile

import numpy as np

from asv_benchmarks.frozen import vectors
from asv_benchmarks.guests import Guest
from asv_benchmarks.timed import ORDER, SHORT, Problem, offered, require_right

hippo_fast = Guest("hippo_fast")


@functools.lru_cache(maxsize=2)  # asv sets up again before each timed call
def filled(backend, measure, order):
    """A memory that has read a frozen scan's samples one by one, and is right."""
    problem = Problem(measure, order=order, length=SHORT)
    offered(backend, problem, "float64")
    named = {"backend": backend} if "backend" in inspect.signature(hippo_fast.Memory).parameters else {}
    if backend != "numpy" and not named:
        raise NotImplementedError("Memory takes no backend in this commit")
    memory, rows = hippo_fast.Memory(measure, order, **problem.keywords, **named), []
    for sample in problem.samples.tolist():
        memory.update(sample)
        rows.append(np.array(memory.coefficients))
    states = np.stack(rows)[list(problem.rows)]
    require_right(vectors()[problem.id].share(states, "float64"), f"Memory on {backend}, {problem.id}")
    return memory


class Update:
    """Reading samples."""

    version = "1"
    param_names = ["backend", "measure", "order"]
    params = [["numpy", "numba"], ["legs", "fout"], [16, 64, 256]]
    number = 5

    def setup(self, backend, measure, order):
        """Check."""
        self.memory = filled(backend, measure, order)
        self.samples = Problem(measure, length=SHORT).samples
        self.numbers = self.samples.tolist()

    def time_update(self, backend, measure, order):
        """200 samples, one call for each."""
        update = self.memory.update
        for sample in self.numbers:
            update(sample)

    def time_update_many(self, backend, measure, order):
        """200 samples in one call."""
        self.memory.update(self.samples)


@functools.cache
def saved(measure):
    """A memory of order 64 and the folder with its file, from which it comes back bit for bit."""
    memory, folder = filled("numpy", measure, ORDER), tempfile.TemporaryDirectory()
    memory.save(file_in(folder))
    if not np.array_equal(hippo_fast.Memory.load(file_in(folder)).coefficients, memory.coefficients):
        raise AssertionError("a memory that was saved and loaded has other coefficients")
    return memory, folder


def file_in(folder):
    """Where the memory lies."""
    return os.path.join(folder.name, "memory.npz")


class Kept:
    """What is done with a memory of LegS or FouT, N = 64."""

    version = "1"
    param_names = ["measure"]
    params = [["legs", "fout"]]
    number = 5

    def setup(self, measure):
        """Check."""
        self.memory, self.folder = saved(measure)
        self.points, self.path, self.load = np.linspace(0, 1, 1000), file_in(self.folder), hippo_fast.Memory.load

    def time_reconstruct(self, measure):
        """1,000 values."""
        self.memory.reconstruct(self.points)

    def time_save(self, measure):
        """To a file, and to the disk."""
        self.memory.save(self.path)

    def time_load(self, measure):
        """From a file."""
        self.load(self.path)
