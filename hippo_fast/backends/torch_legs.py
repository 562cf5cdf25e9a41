"""``O(N)`` LegS on torch tensors: which code runs the steps and their adjoint, see `torch_fronts` for the arguments.

On a CUDA device Triton's kernels, on the processor Numba's; where the library is not installed, plain torch.
"""

from __future__ import annotations

from importlib import import_module

from hippo_fast.backends import torch_fronts
from hippo_fast.backends.torch_tensors import Tensor, numba_runs, triton_kernels
from hippo_fast.discretizations.base import EvenSteps, PrefixSteps


def run_steps(
    steps: EvenSteps | PrefixSteps, state: Tensor, samples: Tensor, states: Tensor | None, scale: Tensor
) -> None:
    """Run K steps."""
    kernels = triton_kernels(state)
    if kernels is not None and kernels.legs_why_not(state.shape[1], state.dtype) is None:
        kernels.legs_forward(steps, state, samples[:, 1:], samples[:, 0], states, scale)
    elif numba_runs(state):
        backend = import_module("hippo_fast.backends.numba_backend")
        if states is None:
            backend.take_steps(steps, state.numpy(), samples.numpy())
        else:
            backend.write_states(steps, state.numpy(), samples.numpy(), states.numpy(), scale.numpy())
    else:
        torch_fronts.run_steps(_prefix(steps), state, samples, states, scale)


def run_adjoint(
    steps: EvenSteps | PrefixSteps, costate: Tensor, incoming: Tensor | None, scale: Tensor, gradients: Tensor
) -> None:
    """Run the transposed steps."""
    kernels = triton_kernels(costate)
    if kernels is not None and kernels.legs_why_not(costate.shape[1], costate.dtype) is None:
        gradients[:, 1:], gradients[:, 0] = kernels.legs_adjoint(steps, costate, incoming, scale)
    elif numba_runs(costate):
        if incoming is not None and incoming.stride(2) != 1:
            incoming = incoming.contiguous()  # the kernels load rows as vectors
        given, written = None if incoming is None else incoming.numpy(), gradients.numpy()
        width = import_module("hippo_fast.kernels.simd").lanes(written.dtype)
        if len(costate) < (width if given is None else width // 2):  # few streams leave most lanes of a batch empty
            own, one = import_module("hippo_fast.backends.numba_backend").own_steps, costate.numpy()
            kernels = import_module("hippo_fast.kernels.wave_adjoint")
            for s in range(len(one)):
                part = None if given is None else given[s]
                written[s, 0] = kernels.adjoint_one(own(steps, s), one[s], part, scale.numpy(), written[s, 1:])
        else:
            kernels = import_module("hippo_fast.kernels.streams")
            kernels.adjoint(steps, costate.numpy(), given, scale.numpy(), written[:, 1:], written[:, 0])
    else:
        torch_fronts.run_adjoint(_prefix(steps), costate, incoming, scale, gradients)


def _prefix(steps: EvenSteps | PrefixSteps) -> PrefixSteps:
    return steps.prefix() if isinstance(steps, EvenSteps) else steps
