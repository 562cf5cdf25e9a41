"""Text that is printed where a runner of GitHub Actions reads along."""

from __future__ import annotations

import re


def inert(text: str) -> str:
    """Text in which the runner finds no command of its own, such as one that sets the outputs of a step.

    It takes ``##[name]`` anywhere in a line for one, and ``::name::`` at the start of a line. A target's words are
    printed in logs, so both are pulled apart, on every machine alike; the files have the text as it is.
    """
    return re.sub(r"(^|[\r\n])(\s*):(?=:)", r"\1\2: ", text.replace("##[", "# #["))
