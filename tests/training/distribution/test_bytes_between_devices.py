"""All that crosses devices in a step: rows of a batch and losses, in addition to gradients."""

import math

import numpy as np
import pytest
import tensorflow as tf

from batchsel.training.model.distributed.shares import SentRows

GRADIENTS = ("gradient_tape", "AddN")
B = 64


@pytest.mark.parametrize(
    ("selector", "rows", "signals"),
    [("loss_ema", [B], []), ("great", [B, 3 * B], [3 * B * 8, 3 * B * 3])],  # its pool has features and residuals
)
def test_eight_bytes_for_each_row_cross_devices_besides_gradients(on_two_devices, selector, rows, signals):
    found = on_two_devices("exchanged", selector)
    rest = {name: one for name, one in found.items() if not any(word in name for word in GRADIENTS)}
    assert len(rest) < len(found)
    assert all(shape is not None for _, shape in rest.values())
    # The weights are the only tensor whose size is not known before. It is 0 if all of them are 1, see below.
    assert [size for size, shape in rest.values() if -1 in shape] == [4]
    sizes = [size * math.prod(shape) for size, shape in rest.values() if -1 not in shape]
    places_and_losses = [4 * count // 2 for count in rows] * 2  # of half of the rows, on the second device
    assert sorted(size for size in sizes if size > 8) == sorted([*places_and_losses, *(4 * n // 2 for n in signals)])
    assert sum(size for size in sizes if size <= 8) <= 32  # numbers of a step, such as the time
    assert sum(sizes) <= 8 * sum(rows) + 4 * sum(signals)


@pytest.mark.parametrize("compiled", [False, True])
def test_rows_are_received_as_they_were_sent(compiled):
    numbers = np.random.default_rng(0)
    send = tf.function(lambda *parts: SentRows.pack(*parts, leaves_out_ones=not compiled), jit_compile=compiled)
    for kind in ("ones", "some fill up", "weighted", "only scored"):
        places = numbers.integers(0, 2**31 - 1, 20).astype("int32")
        weights = numbers.uniform(0.5, 2, 20).astype("f") if kind == "weighted" else np.ones(20, "f")
        weights = -weights if kind == "only scored" else weights
        if kind != "ones":
            weights[15:] = 0
        sent = send(places, weights)
        plain = kind in ("ones", "some fill up") and not compiled
        assert int(tf.size(sent.weights)) == (0 if plain else 20)
        received = SentRows(sent.signed, tf.reshape(sent.weights, [-1])).unpack()
        np.testing.assert_array_equal(received[0], places)
        np.testing.assert_array_equal(received[1], weights)
