"""All that crosses devices in a step: rows of a batch and losses, in addition to gradients."""

import math

GRADIENTS = ("gradient_tape", "AddN")
B = 64


def test_at_most_eight_bytes_for_each_row_cross_devices_besides_gradients(on_two_devices):
    found = on_two_devices("exchanged", "loss_ema")
    rest = {name: one for name, one in found.items() if not any(word in name for word in GRADIENTS)}
    assert len(rest) < len(found)
    assert all(shape is not None for _, shape in rest.values())
    assert sum(shape == [B // 2] for _, shape in rest.values()) == 3  # places, weights, losses
    assert sum(size * math.prod(shape) for size, shape in rest.values()) <= 8 * B
