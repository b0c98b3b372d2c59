"""Train the same model by Keras and by batchsel, and compare history and weights."""

import numpy as np

import batchsel


def fit(model, x, y, by_keras, **options):
    """Train in order by Keras or by batchsel; return the history and the weights."""
    if by_keras:
        history = model.fit(x, y, batch_size=8, shuffle=False, verbose=0, **options)
    else:
        history = batchsel.fit(model, x, y, batch_size=8, selector="fixed", compile="graph", verbose=0, **options)
    return history.history, model.get_weights()


def assert_equal(found, expected):
    assert found[0].keys() == expected[0].keys()
    for name, values in expected[0].items():
        np.testing.assert_allclose(found[0][name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    for own, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)


def assert_agrees(train):
    """Assert that a function trains the same by Keras and by batchsel."""
    assert_equal(train(by_keras=False), train(by_keras=True))
