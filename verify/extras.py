"""Which extra of ours brings a library: read from the metadata of the installed distribution, which pip reads too."""

from __future__ import annotations

from importlib import metadata

OURS = "hippo-verify"


def bringing(distribution: str) -> str:
    """The command that installs a library: by the extra of its name, or else the first that has it, or else by itself.

    Args:
        distribution: name on PyPI.
    """
    from packaging.requirements import Requirement  # noqa: PLC0415 -- only said of what is missing
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    wanted = canonicalize_name(distribution)
    needed = [Requirement(text) for text in metadata.requires(OURS) or ()]
    markers = [str(each.marker) for each in needed if canonicalize_name(each.name) == wanted]
    extras = metadata.metadata(OURS).get_all("Provides-Extra") or []
    having = [
        extra for extra in extras if extra == wanted or any(f'extra == "{extra}"' in marker for marker in markers)
    ]
    if not having:
        return f"pip install {distribution}"
    return f"pip install '{OURS}[{wanted if wanted in having else having[0]}]'"
