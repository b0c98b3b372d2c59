"""Curricula in the loop: inputs, plain samples elsewhere, and equality however a run is split."""

import keras
import numpy as np
import pytest
from problems import assert_same, compile_model, variable_values

import batchsel
from batchsel import Trainer, UserError

N, B, SIDE = 32, 8, 8
X = np.random.default_rng(0).integers(0, 256, (N, SIDE, SIDE, 1), np.uint8)
Y = np.arange(N) % 3
BLUR = "blur(sigma=1.0, until=0.5, form='chance')"


def pooled():
    """A small convolutional network that takes pictures of any size."""
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(4, 3, padding="same", activation="relu")]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    return compile_model(
        keras.Sequential([keras.Input((SIDE, SIDE, 1)), *layers]), keras.optimizers.SGD(0.1, momentum=0.9)
    )


def dense():
    """Kinder to XLA on a CPU."""
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    return compile_model(
        keras.Sequential([keras.Input((SIDE, SIDE, 1)), *layers]), keras.optimizers.SGD(0.1, momentum=0.9)
    )


class Watch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


class Source:
    def __len__(self):
        return N

    def take(self, indices):
        return X[indices], Y[indices]


def state_of(trainer):
    return [*variable_values(trainer.model), trainer.losses, np.array(trainer.schedule_log["values"])]


@pytest.mark.parametrize(
    ("build", "curriculum", "mode"),
    [(dense, BLUR, "graph"), (dense, BLUR, "xla"), (pooled, f"{BLUR} | resolution(0.5, 0.3, 0.6)", "graph")],
)
def test_the_same_however_it_is_cut_fed_and_resumed(build, curriculum, mode, tmp_path):
    settings = {"selector": "loss_ema", "batch_size": B, "curriculum": curriculum, "compile": mode}
    trainer = Trainer(build(), **settings)
    first = trainer.model.get_weights()
    trainer.fit(X, Y, epochs=4, verbose=0)
    whole = state_of(trainer)
    trainer.reset(0, weights=first)
    trainer.fit(X, Y, epochs=4, callbacks=[Watch()], checkpoint=tmp_path / "run.npz", evaluate_every=1.25, verbose=0)
    assert_same(whole, state_of(trainer))
    trainer.reset(0, weights=first)
    trainer.fit(Source(), epochs=4, verbose=0)
    assert_same(whole, state_of(trainer))


class Save(keras.callbacks.Callback):
    def __init__(self, trainer, path):
        super().__init__()
        self.trainer, self.path = trainer, path

    def on_train_batch_end(self, batch, logs=None):
        if self.trainer.counts["steps"] == 5:
            self.trainer.save(self.path)


def test_a_resumed_run_is_the_same(tmp_path):
    settings = {"batch_size": B, "curriculum": BLUR, "compile": "graph"}
    whole = Trainer(dense(), "loss_ema", **settings)
    whole.fit(X, Y, epochs=4, callbacks=[Save(whole, tmp_path / "run.npz")], verbose=0)
    resumed = Trainer(dense(), "loss_ema", **settings)
    resumed.resume(tmp_path / "run.npz")
    resumed.fit(X, Y, epochs=4, callbacks=[Watch()], verbose=0)
    assert_same(state_of(whole), state_of(resumed))
    with pytest.raises(UserError, match=r'curriculum="blur\(sigma'):
        Trainer(dense(), "loss_ema", batch_size=B, compile="graph").resume(tmp_path / "run.npz")


def test_samples_are_bit_equal_after_the_blur():
    """At a rate of 0, losses are those of the first weights; the phase ends in the first batch."""
    losses = {}
    for curriculum in (None, "blur(until='0.001 passes')"):
        model = dense()
        model.optimizer.learning_rate = 0.0
        trainer = Trainer(model, "fixed", batch_size=B, curriculum=curriculum, compile="graph")
        trainer.fit(X, Y, verbose=0)
        losses[curriculum] = trainer.losses
    plain, over = losses.values()
    assert_same([plain[B:]], [over[B:]])
    assert (plain[:B] != over[:B]).any()


def test_training_sees_blurred_images_evaluation_and_pools_plain_ones():
    """With a learning rate of 0, the losses are those of the first weights on what was shown."""
    losses = {}
    for curriculum in (None, "blur(sigma=2.0, until=1.0)"):
        model = dense()
        model.optimizer.learning_rate = 0.0
        trainer = Trainer(model, "fixed", batch_size=B, curriculum=curriculum, compile="graph")
        history = trainer.fit(X, Y, validation_data=(X, Y), verbose=0).history
        losses[curriculum] = trainer.losses, history["val_loss"]
    (plain, plain_validation), (blurred, validation) = losses.values()
    assert plain_validation == validation
    assert plain_validation[0] == pytest.approx(plain.mean(), rel=1e-5)
    from scipy.ndimage import gaussian_filter

    smooth = np.stack([gaussian_filter(image.astype(float), 2.0, mode="reflect", truncate=3.0) for image in X[..., 0]])
    model = dense()
    logits = model(np.round(smooth)[..., None].astype(np.uint8)).numpy()
    wanted = keras.losses.sparse_categorical_crossentropy(Y, logits, from_logits=True).numpy()
    np.testing.assert_allclose(blurred, wanted, atol=2e-2)
    assert np.abs(blurred - plain).max() > 0.05

    pools = Trainer(
        dense(), "candidates(pool=2)", batch_size=B, curriculum="blur(sigma=2.0, until=1.0)", compile="graph"
    )
    pools.model.optimizer.learning_rate = 0.0
    pools.fit(X, Y, verbose=0)
    chosen = pools.visits > 0
    assert plain[chosen].mean() > plain.mean()


def test_the_schedule_log_has_the_curriculum_and_fit_accepts_it():
    model = pooled()
    batchsel.fit(
        model, X, Y, batch_size=B, epochs=4, curriculum=["blur(until=0.5)", "resolution(0.5, 0.5, 0.75)"], verbose=0
    )
    schedule_log = model._batchsel_trainer[1].schedule_log
    values = dict(zip(schedule_log["names"], np.transpose(schedule_log["values"]), strict=True))
    assert list(values) == ["blur sigma", "blur chance", "picture scale"]
    assert values["blur sigma"].tolist() == [1.0] * 8 + [0.0] * 8
    assert values["picture scale"][:8].tolist() == [0.5] * 8
    assert values["picture scale"][12:].tolist() == [1.0] * 4


def test_models_of_one_size_are_rejected_with_a_message():
    with pytest.raises(UserError, match="accepts images of one size only"):
        Trainer(dense(), batch_size=B, curriculum="resolution").fit(X, Y, verbose=0)
