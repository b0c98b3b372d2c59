"""A run of a model with a step of its own resumes bit-equal, and starts over as if it were new."""

import keras
import numpy as np
import pytest
from own_models import GAN, B, OwnStep, X, Y, dense, gan, vae
from save_at import SaveAt

from batchsel import Trainer


def values(trainer):
    return {name: np.array(variable.numpy()) for name, variable in trainer.variables().items()}


def assert_same_values(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def guided():
    return dense(OwnStep, optimizer=keras.optimizers.Adam(0.02))


@pytest.mark.parametrize(
    ("build", "data", "selector"),
    [(gan, (X,), "random"), (guided, (X, Y), "batch_loss_score | prune | keep"), (vae, (X,), "rs2(0.5)")],
)
def test_resuming_in_the_middle_of_an_epoch_is_bit_equal(build, data, selector, tmp_path):
    first, second = (Trainer(build(), selector, batch_size=B, compile="graph") for _ in range(2))
    path = tmp_path / "middle.npz"
    expected = first.fit(*data, epochs=3, verbose=0, callbacks=[SaveAt(first, 5, path)]).history
    second.model.set_weights([weight + 1 for weight in second.model.get_weights()])
    second.resume(path)
    assert second.fit(*data, epochs=3, verbose=0).history == expected
    assert second.counts == first.counts
    assert_same_values(values(second), values(first))


def test_a_checkpoint_holds_the_optimizers_that_are_attributes_of_the_model():
    trainer = Trainer(gan(), batch_size=B, compile="graph")
    trainer.fit(X, verbose=0)
    held = {id(variable) for variable in trainer.variables().values()}
    model = trainer.model
    assert isinstance(model, GAN)
    for optimizer in (model.d_optimizer, model.g_optimizer):
        assert {id(variable.value) for variable in optimizer.variables} <= held
        assert int(optimizer.iterations.numpy()) == 7


def test_a_reset_starts_all_optimizers_over():
    trainer = Trainer(gan(), batch_size=B, compile="graph")
    trainer.reset(1, build=gan)
    first = trainer.fit(X, epochs=2, verbose=0).history
    expected = values(trainer)
    trainer.reset(1, build=gan)
    assert trainer.fit(X, epochs=2, verbose=0).history == first
    assert_same_values(values(trainer), expected)
    assert trainer.loop.trace_count() == 1
