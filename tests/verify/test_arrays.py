"""Arrays of every library are taken as they are, and what is none says so."""

import decimal
import fractions

import mpmath
import numpy as np
import pytest
import scipy.sparse

from verify.arrays import NotNumbers, Numbers, kind, numbers, real
from verify.result import invoke

A = np.arange(9.0).reshape(3, 3)


class Eager:
    """Stands for TensorFlow's eager tensor, as it is documented: ``numpy()``, ``__array__``, a shape of its own."""

    class Shape(list):
        pass

    def __init__(self, values):
        self._values = np.asarray(values)
        self.shape = self.Shape(self._values.shape)

    def numpy(self):
        return self._values

    def __len__(self):
        return len(self._values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self._values, dtype=dtype)


class Variable(Eager):
    """Stands for a keras variable whose backend offers ``numpy()`` alone."""

    __array__ = None


class SparseTensor:
    """Stands for TensorFlow's sparse tensor."""

    def __init__(self, values):
        self.indices, self.values = Eager(np.argwhere(values)), Eager(values[values != 0])
        self.dense_shape = Eager(np.array(values.shape))


class OnlyDlpack:
    def __init__(self, values):
        self._values = values

    def __dlpack__(self, **options):
        return self._values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()


class OnDevice:
    """Stands for a cupy array, which refuses to be converted silently."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def get(self):
        return A


def plain():
    yield "array", A, "float64"
    yield "matrix", np.matrix(A), "float64"
    yield "integers", A.astype(int), "int64"
    yield "half", A.astype(np.float16), "float16"
    yield "extended", A.astype(np.longdouble), str(np.dtype(np.longdouble))
    yield "masked without a mask", np.ma.array(A), "float64"
    yield "memoryview", memoryview(A), "float64"
    yield "nested lists", A.tolist(), "float64"
    yield "tuples of arrays", tuple(A), "float64"
    yield "objects", A.astype(object), "float"
    yield "fractions", [[fractions.Fraction(x) for x in row] for row in A], "Fraction"
    yield "decimals", [[decimal.Decimal(x) for x in row] for row in A], "Decimal"
    yield "mpmath", mpmath.matrix(A.tolist()), "mpf"
    yield "csr", scipy.sparse.csr_array(A), "float64"
    yield "coo", scipy.sparse.coo_matrix(A), "float64"
    yield "eager", Eager(A), "float64"
    yield "variable", Variable(A), "float64"
    yield "eager rows", [Eager(row) for row in A], "float64"
    yield "sparse tensor", SparseTensor(A), "float64"
    yield "dlpack alone", OnlyDlpack(A), "float64"
    yield "on a device", OnDevice(), "float64"


@pytest.mark.parametrize(("value", "dtype"), [pytest.param(v, d, id=name) for name, v, d in plain()])
def test_array_likes(value, dtype):
    found = numbers(value, "A")
    assert found.dtype == dtype
    np.testing.assert_array_equal(np.asarray(found.array, dtype=float), A)


def test_torch():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(A, requires_grad=True)
    for value, dtype in (
        (tensor, "float64"),
        (torch.nn.Parameter(tensor.detach().float()), "float32"),
        (tensor.bfloat16(), "bfloat16"),
        (tensor.half(), "float16"),
        (tensor.detach().to(torch.float8_e5m2), "float8_e5m2"),
        (tensor.t().contiguous().t(), "float64"),
        ((tensor.detach() + 0j).conj(), "complex128"),
        ((-1j * tensor.detach()).conj().imag, "float64"),  # carries the negative bit
        (tensor.detach().to_sparse(), "float64"),
        (list(tensor), "float64"),
        ([row.bfloat16() for row in tensor], "bfloat16"),
        ([[x for x in row] for row in tensor], "float64"),  # noqa: C416 -- rows of scalars that carry a graph
    ):
        found = numbers(value, "A")
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.array, A)
    with pytest.raises(NotNumbers, match=r"A is one array of shape \(3, 3\), which is no array: .*meta"):
        numbers(torch.empty(3, 3, device="meta"), "A")


@pytest.mark.gpu
def test_a_tensor_on_an_accelerator():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    for value in (torch.tensor(A, device="cuda", requires_grad=True), OnlyDlpack(torch.tensor(A, device="cuda"))):
        np.testing.assert_array_equal(numbers(value, "A").array, A)


def test_jax():
    jnp = pytest.importorskip("jax.numpy")
    for dtype in ("float32", "bfloat16", "int32"):
        for value in (jnp.asarray(A, dtype=dtype), [jnp.asarray(row, dtype=dtype) for row in A]):
            found = numbers(value, "A")
            assert found.dtype == dtype
            np.testing.assert_array_equal(found.array, A)


def test_array_api():
    """A library that knows the standard alone, on the host and on a device that is none of numpy's."""
    xp = pytest.importorskip("array_api_strict", reason="array-api-strict is in the test extra")
    for value in (xp.asarray(A), xp.asarray(A, device=xp.Device("device1")), [xp.asarray(row) for row in A]):
        found = numbers(value, "A")
        assert found.dtype == "float64"
        np.testing.assert_array_equal(found.array, A)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "A is None; expected an array"),
        ("1.0", "has dtype <U3; expected numbers"),
        ([["1"]], "has dtype <U1; expected numbers"),
        (np.array(["1.0"], dtype=object), "A holds a str; expected numbers"),
        (np.array([None, 1.0]), "A holds None; expected numbers"),
        (A > 1, "has dtype bool; expected numbers"),
        (A.astype("datetime64[s]"), r"has dtype datetime64\[s\]"),
        ({"a": 1}, "A is a dict; expected numbers"),
        ((row for row in A), "A is a generator; expected numbers"),
        (len, "A is a builtin_function_or_method; expected numbers"),
        ([[1, 2], [3]], "A is a list of 2, which is no array"),
        ([10**400], "A is a list of 1, which is no array: .*too large"),
        (np.ma.array(A, mask=A > 3), "A has masked entries"),
        ([np.ma.array([1, 2], mask=[0, 1])], "A has masked entries"),
    ],
)
def test_what_is_no_array_of_numbers(value, said):
    with pytest.raises(NotNumbers, match=said):
        numbers(value, "A")


def test_a_broken_protocol_is_not_the_end():
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("my buffer is gone")

    with pytest.raises(NotNumbers, match="A is a Broken, which is no array: my buffer is gone"):
        numbers(Broken(), "A")


def test_complex_numbers_are_real_if_rounding_explains_the_rest():
    assert real(A + 1e-17j, "A").array.dtype == np.float64
    with pytest.raises(NotNumbers, match=r"A is complex with imaginary parts up to 0.1; expected real"):
        real(A + 0.1j, "A")


def test_the_memory_is_the_targets_own():
    """A buffer that is written to later must show."""
    torch = pytest.importorskip("torch")
    for value in (A.copy(), torch.tensor(A)):
        seen = numbers(value, "A").array
        value[0, 0] = 7
        assert seen[0, 0] == 7


def test_what_was_converted_before_passes_through():
    given = Numbers(A, "bfloat16")
    assert numbers(given, "A") is given
    with pytest.raises(NotNumbers, match="of a wrong form"):
        numbers(NotNumbers("of a wrong form"), "A")


def test_one_array_is_not_a_pair():
    """Whatever its library: its two rows are not A and B."""
    torch = pytest.importorskip("torch")
    for value in (np.eye(2), torch.eye(2), Eager(np.eye(2))):
        assert kind(value) == "one array of shape (2, 2)"
        assert "returned one array" in invoke({"matrices": lambda order, value=value: value}, "matrices", [2]).malformed


def test_names_tell_more_than_places():
    from collections import namedtuple

    system = namedtuple("system", ("B", "A"))
    found = invoke({"matrices": lambda order: system(A[0], A)}, "matrices", [3])
    assert found.arrays["A"].shape == (3, 3)
    assert found.arrays["B"].shape == (3,)


def test_the_dtype_is_reported_as_it_was_given():
    torch = pytest.importorskip("torch")
    found = invoke({"scan": lambda samples, order: torch.tensor(A).bfloat16()}, "scan", [A[0], 3])
    assert (found.dtype, found.value.dtype) == ("bfloat16", np.float32)
