"""Libraries that a benchmark asks for and may not find: what is missing is a reason to skip, never a failed listing.

asv lists every benchmark by importing every file of this folder, in environments that hold little and over commits that
have less than this one. So a benchmark file imports numpy at its top and everything else through a `Guest`.
"""

import importlib
import importlib.util
from pathlib import Path

OURS = ("hippo_ref", "verify")
"""Packages that must be those of the commit that is measured, which `hippo_fast` is."""


def root(package):
    """The folder that a package lies in, or None."""
    found = importlib.util.find_spec(package)
    return None if found is None or found.origin is None else Path(found.origin).resolve().parents[1]


class Guest:
    """A module that is imported when an attribute of it is first asked for.

    Raises:
        NotImplementedError: it is not installed, or has no such attribute in the commit that is measured; asv takes
            this from a ``setup`` as "does not apply here".
    """

    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        package = self._name.partition(".")[0]
        if package in OURS and root(package) not in (None, root("hippo_fast")):
            # An environment may hold another version, where an early commit has nothing of the name.
            raise NotImplementedError(f"{package} is not in this commit")
        try:
            module = importlib.import_module(self._name)
        except ModuleNotFoundError as missing:
            absent = missing.name or self._name
            if absent.partition(".")[0] == package and not f"{self._name}.".startswith(f"{absent}."):
                raise  # a package that does not find a file of its own is broken, not absent
            raise NotImplementedError(f"{absent} is not installed") from None
        try:
            return getattr(module, attribute)
        except AttributeError:
            raise NotImplementedError(f"{self._name} has no {attribute} in this commit") from None
