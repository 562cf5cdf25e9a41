"""What a set of images is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageSet:
    """Grey images of known classes, each as the sequence of its pixels, row by row.

    Attributes:
        pixels: shape (images, height * width), bytes; 0 is no ink.
        labels: shape (images,), int64 in ``0..classes - 1``.
        classes: how many classes there are.

    Raises:
        ValueError: pixels and labels that do not fit together, or a label beyond the classes.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: int

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.labels.shape != self.pixels.shape[:1]:
            raise ValueError(
                f"pixels have shape {self.pixels.shape} and labels {self.labels.shape}; "
                "accepted: (images, pixels) and (images,)"
            )
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < self.classes:
            raise ValueError(
                f"labels lie between {self.labels.min()} and {self.labels.max()}; accepted: 0 to {self.classes - 1}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> ImageSet:
        """Those images alone, in the given order."""
        return ImageSet(self.pixels[indices], self.labels[indices], self.classes)
