"""Image sets in the IDX format of MNIST: a folder of four files, each plain or compressed by gzip.

A file is: two zero bytes, a byte for the type of its numbers (8: unsigned bytes), a byte for the number of dimensions,
each dimension as a big-endian 32-bit number, then the numbers, last dimension fastest, and nothing after them.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from verify.claims.data.base import ImageSet

UNSIGNED_BYTES = 8
LARGEST = 1 << 30
"""Bytes; thirty times MNIST. A damaged header must not ask for all memory."""
IMAGES = "images-idx3-ubyte"
LABELS = "labels-idx1-ubyte"


def read_folder(folder: Path) -> tuple[ImageSet, ImageSet]:
    """The training and the test set of a folder.

    Args:
        folder: holds ``train-`` and ``t10k-`` followed by ``images-idx3-ubyte`` and ``labels-idx1-ubyte``, each as it
            is or with ``.gz`` behind it.

    Raises:
        ValueError: a missing file, one that is not of the format, or files that do not belong together.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is no folder; accepted: a folder with train-{IMAGES}, train-{LABELS}, t10k-{IMAGES} and "
            f"t10k-{LABELS}, or the same with .gz"
        )
    (train_pixels, train_labels), (test_pixels, test_labels) = (_read_part(folder, part) for part in ("train", "t10k"))
    if train_pixels.shape[1:] != test_pixels.shape[1:]:
        raise ValueError(
            f"{folder}: the training images have {_size(train_pixels)} pixels, the test images {_size(test_pixels)}; "
            "accepted: one size"
        )
    classes = 1 + int(train_labels.max())
    if int(test_labels.max()) >= classes:
        raise ValueError(
            f"{folder}: the test set has the label {test_labels.max()}, the training set none above {classes - 1}; "
            "accepted: test images of classes that are trained on"
        )
    return _images(train_pixels, train_labels, classes), _images(test_pixels, test_labels, classes)


def read_file(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The numbers of one file.

    Args:
        path: the file; compressed by gzip if its name ends in ``.gz``.
        dimensions: how many it must have.

    Raises:
        ValueError: the file cannot be read, or is not of the format.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _parse(file, path, dimensions)
    except EOFError as error:  # what gzip raises where a compressed file ends too early
        raise ValueError(f"{path} is cut short: its compressed content has no end") from error
    except (OSError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ValueError(f"cannot read {path}: {reason}") from error


def _parse(file: BinaryIO | gzip.GzipFile, path: Path, dimensions: int) -> NDArray[np.uint8]:
    expected = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    magic = file.read(4)
    if len(magic) < 4:
        raise ValueError(f"{path} is cut short: {len(magic)} bytes; an IDX file starts with {_hex(expected)}")
    if magic != expected:
        raise ValueError(
            f"{path} starts with {_hex(magic)}; accepted: {_hex(expected)}, "
            f"an IDX file of unsigned bytes with {dimensions} dimension{'s' if dimensions > 1 else ''}"
        )
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise ValueError(f"{path} is cut short: its header has {4 + len(header)} bytes; expected: {4 + 4 * dimensions}")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    count = math.prod(shape)
    if not 0 < count <= LARGEST:
        raise ValueError(f"{path} says that it holds {_times(shape)} numbers; accepted: 1 to {LARGEST}")
    content = file.read(count + 1)
    if len(content) < count:
        raise ValueError(f"{path} is cut short: {len(content)} numbers; its header says {_times(shape)} = {count}")
    if len(content) > count:
        raise ValueError(f"{path} goes on after the {_times(shape)} = {count} numbers that its header speaks of")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, labels = _find(folder, f"{part}-{IMAGES}"), _find(folder, f"{part}-{LABELS}")
    pixels, classes = read_file(images, 3), read_file(labels, 1)
    if len(pixels) != len(classes):
        raise ValueError(f"{images} holds {len(pixels)} images and {labels} {len(classes)} labels; accepted: as many")
    return pixels, classes


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise ValueError(f"{folder} has no {name} and no {name}.gz; accepted: a folder with one of the two")


def _images(pixels: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int) -> ImageSet:
    return ImageSet(pixels.reshape(len(pixels), -1), labels.astype(np.int64), classes)


def _size(pixels: NDArray[np.uint8]) -> str:
    return _times(pixels.shape[1:])


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _hex(content: bytes) -> str:
    return content.hex(" ")
