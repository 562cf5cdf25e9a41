"""Handwritten digits of 8 by 8 pixels, 1797 of them, that come with scikit-learn (UCI, optical recognition)."""

from __future__ import annotations

import numpy as np

from verify.claims.data.base import ImageSet


def load() -> ImageSet:
    """The digits; a pixel counts the ink in a block of 4 by 4 points, 0 to 16.

    Raises:
        ModuleNotFoundError: without scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 -- a guest: listing claims must not import it
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "sklearn":
            raise
        raise ModuleNotFoundError(
            "the digits come with scikit-learn, which is not installed: pip install 'hippo-verify[claims]'",
            name="sklearn",
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), 10)
