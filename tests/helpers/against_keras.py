"""The same training by `model.fit(shuffle=False)` and by `batchsel.fit(selector="fixed")`, from equal weights."""

import numpy as np

import batchsel


def train_both(build, data, *, keras_data=None, **options):
    """Return the models and histories of Keras and of batchsel.

    `data` and `keras_data` are functions that return the positional arguments of `fit`, made anew for each of the two;
    values of options that are functions named `make_...` are called for each, too.
    """
    results = []
    for fit, arguments, extra in (
        (None, keras_data or data, {"shuffle": False}),
        (batchsel.fit, data, {"selector": "fixed", "compile": "graph"}),
    ):
        model = build()
        given = {
            name: value() if getattr(value, "__name__", "").startswith("make_") else value
            for name, value in options.items()
        }
        call = model.fit if fit is None else lambda *args, model=model, **kwargs: batchsel.fit(model, *args, **kwargs)
        results.append((model, call(*arguments(), verbose=0, **extra, **given).history))
    return results


def assert_equal_training(results, rtol=2e-4):
    """Compare histories and weights."""
    (model, history), (other, others) = results
    assert set(history) == set(others)
    for name, values in history.items():
        np.testing.assert_allclose(others[name], values, rtol=rtol, atol=1e-5, err_msg=name)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(two, one, rtol=rtol, atol=1e-5)
