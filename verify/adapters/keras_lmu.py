"""keras-lmu: the Legendre memory unit on TensorFlow, by its authors. Its theta counts samples, so dt is 1 there."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any

from verify.adapters.base import Adapter
from verify.case import Case

_PARTS = {
    "cell": "LMUCell under keras.layers.RNN, the memory alone",
    "trainable": "LMUCell with a trainable theta, which discretizes anew at every sample",
    "fft": "LMUFeedforward(conv_mode='fft'), the memory alone",
    "raw": "LMUFeedforward(conv_mode='raw'), the memory alone, with its whole impulse response",
}


def _window(case: Case) -> float:
    """Length of the window in samples."""
    return case.float_parameters["theta"] / (case.dt or 1.0)


@lru_cache(maxsize=8)
def _cell(order: int, window: float, rule: str, dtype: str, trainable: bool = False) -> Any:
    import keras_lmu  # noqa: PLC0415 -- a guest, imported in the worker

    cell = keras_lmu.LMUCell(
        memory_d=1, order=order, theta=window, hidden_cell=None, trainable_theta=trainable, discretizer=rule,
        kernel_initializer=None, dtype=dtype,
    )  # fmt: skip
    cell.build((1, 1))
    return cell


class _Recurrent:
    """The cell, and the recurrent layer around it."""

    def __init__(self, case: Case, trainable: bool) -> None:
        self._case = case
        self._cell = _cell(case.order, _window(case), case.method, case.dtype, trainable)

    def matrices(self, order: int) -> tuple[Any, Any]:
        """What the cell keeps before it discretizes, for a window of 1, transposed as it works on rows."""
        cell = _cell(order, _window(self._case), "zoh", self._case.dtype)
        theta = self._case.float_parameters["theta"]
        return cell._base_A.numpy().T / theta, cell._base_B.numpy()[0] / theta

    def step(self, state: Any, sample: float, k: int) -> Any:
        """One call of the cell."""
        import tensorflow as tf  # noqa: PLC0415

        dtype = self._case.dtype
        given = tf.constant([[sample]], dtype=dtype), [tf.constant(state[None], dtype=dtype)]
        return self._cell(*given)[0].numpy()[0]

    def scan(self, samples: Any, order: int) -> Any:
        """The layer on one stream, from its zero state."""
        import tensorflow as tf  # noqa: PLC0415

        return _layer(self._cell)(tf.constant(samples[None, :, None], dtype=self._case.dtype)).numpy()[0]


@lru_cache(maxsize=8)
def _layer(cell: Any) -> Any:
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    layer = keras.layers.RNN(cell, return_sequences=True, dtype=cell.dtype)
    # One graph for every length, as a model traces it.
    return tf.function(layer, input_signature=[tf.TensorSpec((1, None, 1), cell.dtype)])


class _Feedforward:
    """The convolution with the impulse response of the cell."""

    def __init__(self, case: Case, mode: str) -> None:
        self._case = case
        self._mode = mode

    def scan(self, samples: Any, order: int) -> Any:
        """The layer, built for the length of the stream."""
        return _convolution(self._case, self._mode, len(samples))(samples[None, :, None]).numpy()[0]


@lru_cache(maxsize=8)
def _convolution(case: Case, mode: str, length: int) -> Any:
    import keras_lmu  # noqa: PLC0415

    drawn = random.getstate()  # a layer of keras draws a seed when it is made, which is no part of its answer
    layer = keras_lmu.LMUFeedforward(
        memory_d=1, order=case.order, theta=_window(case), hidden_cell=None, discretizer=case.method,
        kernel_initializer=None, return_sequences=True, conv_mode=mode, truncate_ir=None, dtype=case.dtype,
    )  # fmt: skip
    layer.build((1, length, 1))
    random.setstate(drawn)
    return layer


class KerasLMU(Adapter):
    """One way in which keras-lmu runs its memory."""

    distribution = "keras-lmu"
    measures = {"lmu": {}}  # noqa: RUF012 -- read only
    methods = ("zoh", "euler")
    dtypes = ("float64", "float32")

    def __init__(self, part: str) -> None:
        self.part = part
        self.key = "keras-lmu" if part == "cell" else f"keras-lmu-{part}"
        self.summary = f"keras_lmu: {_PARTS[part]}"
        self.levels = {"cell": ("matrices", "step", "scan"), "trainable": ("step",)}.get(part, ("scan",))

    def refuse(self, case: Case) -> str | None:
        """Forward Euler outside the range that the library's own documentation recommends."""
        if case.method == "euler" and case.level != "matrices" and _window(case) <= 4 * case.order:
            return f"its documentation asks for a window above 4 N samples under euler, and it is {_window(case):g}"
        return None

    def bind(self, case: Case) -> Any:
        """The part for a case."""
        if self.part in ("cell", "trainable"):
            return _Recurrent(case, self.part == "trainable")
        return _Feedforward(case, self.part)
