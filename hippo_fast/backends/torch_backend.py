"""torch: every measure and rule, float32 and float64, on any device, with gradients.

The steps themselves are prepared in float64 by numpy, since no sample enters them. A scan is one node of the graph of
autograd, see `hippo_fast.backends.torch_adjoint`.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch

from hippo_fast.backends.base import Backend
from hippo_fast.backends.torch_adjoint import Scan, linear_scan
from hippo_fast.backends.torch_tensors import Tensor
from hippo_fast.recurrence import Recurrence
from hippo_fast.types import Float64Array, Output
from hippo_fast.validation import checked_shape, real_array


@final
class TorchBackend(Backend):
    """Runs on torch tensors."""

    def read(self, samples: Any, dtype: Any, device: Any) -> Tensor:
        """Return samples as a tensor of float32 or float64, see `Backend.read`."""
        target = _device(device, samples)
        if not isinstance(samples, torch.Tensor):
            array = real_array("samples", samples)
            checked_shape("samples", array.shape)
            # Integers and other floats go through float64, which is what they become by default.
            samples = torch.from_numpy(
                array.astype(np.float32 if array.dtype.newbyteorder("=") == np.float32 else np.float64)
            )
        if samples.is_complex() or samples.is_quantized:
            raise TypeError(f"samples has dtype {samples.dtype}; accepted: real numbers")
        checked_shape("samples", tuple(samples.shape))
        _CheckFinite.apply(samples)
        cast = samples.to(device=target, dtype=_dtype(dtype, samples.dtype))
        if cast.dtype != samples.dtype:
            _CheckFinite.apply(cast)
        return cast

    def run(
        self,
        recurrence: Recurrence,
        samples: Tensor,
        times: Float64Array | None,
        output: Output,
        out: Tensor | None = None,
    ) -> Tensor:
        """Return the states, see `Backend.run`; beyond them ``O(L + N)`` numbers are kept for each stream.

        Raises:
            ValueError: ``out`` together with samples that require a gradient, which it could not carry.
        """
        streams = samples.reshape(-1, samples.shape[-1])
        scan = linear_scan(recurrence, samples.shape[-1], times, output)
        if out is None:
            result = Scan.apply(streams, scan)
            return result.reshape(*samples.shape[:-1], *result.shape[1:])
        read = streams.detach()
        shares = out.untyped_storage().data_ptr() == read.untyped_storage().data_ptr()
        if out.is_contiguous() and not shares:
            scan.states(read, out.detach().view(len(read), *out.shape[samples.ndim - 1 :]))
        else:
            out.copy_(scan.states(read).view(out.shape))
        return out

    def synchronize(self) -> None:
        """Wait for every CUDA device in use."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()


BACKEND = TorchBackend()


def _device(device: Any, samples: Any) -> Any:
    if device is None:
        return samples.device if isinstance(samples, torch.Tensor) else torch.device("cpu")
    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device is {device!r}; accepted: None or a torch device such as 'cpu' or 'cuda' ({error})"
        ) from None


def _dtype(dtype: Any, given: Any) -> Any:
    if dtype is None:
        return torch.float32 if given == torch.float32 else torch.float64
    named = dtype if isinstance(dtype, torch.dtype) else None
    if named is None:
        try:
            named = {"float32": torch.float32, "float64": torch.float64}.get(np.dtype(dtype).name)
        except TypeError:
            named = None
    if named not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {dtype!r}; accepted: None, 'float32' or 'float64'")
    return named


class _CheckFinite(torch.autograd.Function):  # type: ignore[misc]
    """Raises where a number is not finite; a function, so that it sees the numbers under torch.func's transforms."""

    @staticmethod
    def forward(samples: Tensor) -> Tensor:
        """Return nothing, as an empty tensor."""
        finite = torch.isfinite(samples)
        if not bool(finite.all()):
            where = tuple(int(i) for i in torch.nonzero(~finite)[0])
            raise ValueError(
                f"samples[{', '.join(map(str, where))}] is {float(samples[where])}; "
                f"accepted: finite {samples.dtype} numbers"
            )
        return samples.new_empty(0, dtype=torch.bool)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        """No gradient flows."""
        ctx.mark_non_differentiable(output)

    @staticmethod
    def jvp(ctx: Any, tangents: Tensor) -> None:
        """No tangent flows."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], samples: Tensor) -> tuple[Tensor, None]:
        """Check every batch."""
        return _CheckFinite.apply(samples.movedim(in_dims[0], 0)), None
