"""Image sets: the IDX format and all that can be wrong with it, the digits, and the task that is made of them."""

import gzip
import struct
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

from verify.claims import images_data
from verify.claims.data import digits, idx
from verify.claims.data.base import ImageSet

TRAIN, TEST = 60, 20


def encoded(array, *, magic=None, shape=None):
    """An IDX file of an array of bytes."""
    array = np.asarray(array, np.uint8)
    header = bytes([0, 0, 8, array.ndim]) if magic is None else magic
    return header + struct.pack(f">{array.ndim}I", *(array.shape if shape is None else shape)) + array.tobytes()


def sets(size=(3, 2), classes=2):
    random = np.random.default_rng(0)
    return {
        f"{part}-{kind}": encoded(content)
        for part, count in (("train", TRAIN), ("t10k", TEST))
        for kind, content in (
            (idx.IMAGES, random.integers(0, 256, (count, *size))),
            (idx.LABELS, np.arange(count) % classes),
        )
    }


@pytest.fixture
def folder(tmp_path):
    """Writes an image folder; an empty content leaves the file out."""

    def write(**changed):
        files = sets() | {name.replace("_", "-"): content for name, content in changed.items()}
        for name, content in files.items():
            if content:
                (tmp_path / name).write_bytes(content)
        return tmp_path

    return write


def changed_file(part, kind, content):
    return {f"{part}-{kind}".replace("-", "_"): content}


def test_a_folder_is_read_plain_or_compressed(folder):
    plain = idx.read_folder(folder())
    for path in list(folder().iterdir()):
        (path.parent / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    for one, other in zip(plain, idx.read_folder(path.parent), strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.labels, other.labels)
    assert [len(part) for part in plain] == [TRAIN, TEST]
    assert plain[0].pixels.shape == (TRAIN, 6)
    assert plain[0].classes == 2


def test_pixels_are_read_row_by_row(folder):
    shown = np.arange(TRAIN * 6).reshape(TRAIN, 3, 2) % 251
    train, _ = idx.read_folder(folder(**changed_file("train", idx.IMAGES, encoded(shown))))
    np.testing.assert_array_equal(train.pixels[7], shown[7].ravel())


LABELS = np.arange(TRAIN) % 2
IMAGES = np.zeros((TRAIN, 3, 2))


@pytest.mark.parametrize(
    ("part", "kind", "content", "message"),
    [
        ("train", idx.IMAGES, b"", r"has no train-images-idx3-ubyte and no train-images-idx3-ubyte\.gz; accepted"),
        ("t10k", idx.LABELS, b"", "has no t10k-labels-idx1-ubyte"),
        ("train", idx.IMAGES, b"\0\0", "is cut short: 2 bytes; an IDX file starts with 00 00 08 03"),
        ("train", idx.IMAGES, encoded(IMAGES)[:11], "its header has 11 bytes; expected: 16"),
        ("train", idx.IMAGES, encoded(IMAGES)[:-1], r"is cut short: 359 numbers; its header says 60 x 3 x 2 = 360"),
        ("train", idx.IMAGES, encoded(IMAGES) + b"\0", "goes on after the 60 x 3 x 2 = 360 numbers"),
        ("train", idx.IMAGES, encoded(IMAGES, magic=b"\0\0\x0d\3"), "starts with 00 00 0d 03; accepted: 00 00 08 03"),
        ("train", idx.IMAGES, encoded(LABELS), "starts with 00 00 08 01; accepted: 00 00 08 03"),
        ("train", idx.LABELS, encoded(IMAGES), "starts with 00 00 08 03; accepted: 00 00 08 01"),
        ("train", idx.IMAGES, encoded(IMAGES, shape=(0, 3, 2)), "says that it holds 0 x 3 x 2 numbers"),
        ("train", idx.IMAGES, encoded(IMAGES, shape=(2**32 - 1,) * 3), "says that it holds 4294967295 x"),
        ("train", idx.LABELS, encoded(LABELS[:-1]), "holds 60 images and .* 59 labels; accepted: as many"),
        ("t10k", idx.IMAGES, encoded(np.zeros((TEST, 2, 2))), "have 3 x 2 pixels, the test images 2 x 2"),
        ("t10k", idx.LABELS, encoded(np.full(TEST, 2)), "has the label 2, the training set none above 1"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(folder, part, kind, content, message):
    with pytest.raises(ValueError, match=message):
        idx.read_folder(folder(**changed_file(part, kind, content)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-12], "is cut short: its compressed content has no end"),
        (lambda _: b"no gzip at all", "cannot read .*gz"),
        (lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:], "cannot read .*CRC"),
    ],
)
def test_a_damaged_compressed_file_is_named(folder, damage, message):
    where = folder(**changed_file("train", idx.IMAGES, b""))
    whole = gzip.compress(sets()[f"train-{idx.IMAGES}"])  # noise: stored as it is, so a flipped bit stays one
    (where / f"train-{idx.IMAGES}.gz").write_bytes(damage(whole))
    with pytest.raises(ValueError, match=message):
        idx.read_folder(where)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere is no folder; accepted: a folder with train-images"):
        images_data.source(tmp_path / "nowhere")


def test_the_digits_are_divided_once_and_for_all():
    source = images_data.source(None)
    parts = (source.train, source.validation, source.test)
    assert [len(part) for part in parts] == [987, 270, 540]
    assert source.length == 64
    whole = digits.load()
    assert sum(map(len, parts)) == len(whole) == 1797
    assert sorted(np.concatenate([part.pixels for part in parts]).tolist()) == sorted(whole.pixels.tolist())
    for part in parts:  # each class has its share
        shares = np.bincount(part.labels) / len(part)
        assert np.abs(shares - np.bincount(whole.labels) / len(whole)).max() < 0.01


def test_the_order_of_pixels_is_one_permutation_of_all(folder):
    source = images_data.source(folder())
    task = images_data.permuted(source, (None, None, None))
    mean, spread = source.train.pixels.mean(), source.train.pixels.std()
    orders = []
    for part, split in (
        (source.train, task.train),
        (source.validation, task.validation),
        (source.test, task.tests["test"]),
    ):
        shown = np.rint(split.inputs[..., 0] * spread + mean).astype(int)
        orders.append([next(p for p in range(6) if (part.pixels[:, p] == shown[:, k]).all()) for k in range(6)])
        np.testing.assert_array_equal(split.targets, part.labels)
    assert orders[0] == orders[1] == orders[2] != list(range(6))
    assert sorted(orders[0]) == list(range(6))
    np.testing.assert_allclose(task.train.inputs.mean(), 0, atol=1e-5)
    np.testing.assert_allclose(task.train.inputs.std(), 1, atol=1e-5)


def test_a_changed_folder_is_read_again_and_has_another_key(folder):
    where = folder()
    before = images_data.source(where)
    assert images_data.source(where) is before
    after = images_data.source(folder(**changed_file("t10k", idx.IMAGES, encoded(np.ones((TEST, 3, 2))))))
    assert after.key != before.key


def test_a_subsample_keeps_the_shares_and_is_the_same_each_time():
    train = images_data.source(None).train
    few = images_data.subsample(train, 100)
    assert np.bincount(few.labels).tolist() == [10] * 10
    np.testing.assert_array_equal(few.pixels, images_data.subsample(train, 100).pixels)
    assert images_data.subsample(train, 5000) is train
    assert images_data.subsample(train, None) is train


def test_classes_too_small_to_be_divided_are_refused(folder):
    labels = np.zeros(TRAIN)
    labels[0] = 1
    where = folder(**changed_file("train", idx.LABELS, encoded(labels)))
    with pytest.raises(ValueError, match="60 images of 2 classes cannot be divided"):
        images_data.source(where)


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros(3, np.int64), r"shape \(2, 3\) and labels \(3,\)"),
        (np.zeros((2, 3), np.uint8), np.array([0, 5]), "between 0 and 5; accepted: 0 to 4"),
    ],
)
def test_images_and_labels_have_to_fit(pixels, labels, message):
    with pytest.raises(ValueError, match=message):
        ImageSet(pixels, labels, 5)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'hippo-verify\[claims\]'"):
        digits.load()
