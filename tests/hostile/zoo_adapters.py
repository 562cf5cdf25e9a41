"""The animals of the zoo as adapters of one library, which share a worker in a campaign."""

from types import SimpleNamespace

import zoo_animals

from verify.adapters import ADAPTERS, loading
from verify.adapters.base import Adapter

LIBRARY = "hippo-verify"  # a distribution that is installed


class Animal(Adapter):
    distribution = LIBRARY
    levels = ("matrices",)
    measures = {"legs": {}}  # noqa: RUF012 -- read only

    def __init__(self, name):
        self.key = self.summary = f"zoo-{name}"
        self.name = name

    def bind(self, case):
        return SimpleNamespace(matrices=getattr(zoo_animals, self.name))


def load(spec):
    """In the worker: the table there has them too."""
    name = spec["target"].removeprefix("zoo-")
    ADAPTERS[spec["target"]] = Animal(name)
    handler = loading.load(spec)

    def answer(*, case=None, **request):
        if case is not None:
            ADAPTERS[case["target"]] = Animal(case["target"].removeprefix("zoo-"))
        return handler(case=case, **request)

    return answer
