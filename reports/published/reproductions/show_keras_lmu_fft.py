"""keras-lmu 0.9.0: conv_mode="fft" rounds relative to the largest sample of the whole run, also before it is read."""

import keras_lmu
import numpy as np

N, L, window = 4, 40, 64
samples = np.zeros((1, L, 1))
samples[0, -1] = 1.0  # nothing, then an impulse with the last sample


def states(mode):
    layer = keras_lmu.LMUFeedforward(
        memory_d=1,
        order=N,
        theta=window,
        hidden_cell=None,
        kernel_initializer=None,
        return_sequences=True,
        conv_mode=mode,
        truncate_ir=None,
        dtype="float64",
    )
    return layer(samples).numpy()[0]


got, expected = states("fft"), states("raw")
# The memory has read zeros alone before the last sample: its state is zero there, in any arithmetic.
print("got:     ", np.abs(got[:-1]).max())
print("expected:", np.abs(expected[:-1]).max())
print("difference over the largest state:", np.abs(got - expected).max() / np.abs(expected).max())
