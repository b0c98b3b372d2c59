"""RHO-LOSS: irreducible losses and the models that they come from."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from plan_statistics import B, N
from pools import chosen, pool_of
from problems import classes, mlp, two_outputs

from batchsel import Trainer
from batchsel.errors import UserError
from batchsel.selectors import resolve

X, Y = classes(N)


def test_rho_takes_the_largest_reducible_losses():
    selector = resolve("rho_loss(pool=4)")
    irreducible = np.random.default_rng(2).exponential(size=N).astype(np.float32)
    state = selector.init(N)._replace(irreducible=tf.constant(irreducible), ready=tf.constant(True))
    pool = pool_of(4 * B, real=4 * B - 2)
    ((rows, weights),) = chosen("rho_loss(pool=4)", pool, 1, state=state)
    reducible = (pool.loss.numpy() - irreducible[: 4 * B])[: 4 * B - 2]
    assert rows.tolist() == np.argsort(-reducible, kind="stable")[:B].tolist()
    assert (weights == 1).all()


def test_each_half_is_scored_by_the_model_of_the_other():
    selector, calls = resolve("rho_loss(passes=2.0)"), []

    def train_auxiliary(rows, seed, passes, *, scored):
        assert set(rows) | set(scored) == set(range(N))
        calls.append((set(rows), seed, passes))
        return np.full(len(scored), float(len(calls)))

    state = selector.prepare(selector.init(N), train_auxiliary, 7)
    (first, *_), (second, *_) = calls
    assert (len(first), len(second), first & second, first | second) == (N // 2, N // 2, set(), set(range(N)))
    assert {passes for *_, passes in calls} == {2.0}
    assert {state.irreducible.numpy()[i] for i in first} == {2.0}
    assert {state.irreducible.numpy()[i] for i in second} == {1.0}
    assert selector.prepare(state, None, 7) is state


def test_rho_trains_its_models_on_the_clock_and_counts_them():
    trainer = Trainer(mlp(), "rho_loss(pool=2, passes=3.0)", batch_size=B, compile="graph")
    plain = Trainer(mlp(), "candidates(pool=2)", batch_size=B, compile="graph")
    for one in (plain, trainer):
        one.fit(X, Y, epochs=1, verbose=0)
    assert trainer.counts["samples"] == plain.counts["samples"] == N
    # Both halves three times, a sample trained on counted as three; all samples scored by one of the models.
    assert trainer.counts["scored"] == plain.counts["scored"] + 3 * 3 * N + N
    assert trainer.clock.training > plain.clock.training
    known = trainer.loop.state.state.irreducible.numpy()
    trainer.fit(X, Y, epochs=1, verbose=0)  # the losses are kept
    np.testing.assert_array_equal(known, trainer.loop.state.state.irreducible.numpy())
    trainer.reset(1)
    trainer.fit(X, Y, epochs=1, verbose=0)
    assert (known != trainer.loop.state.state.irreducible.numpy()).any()


def test_rho_avoids_wrong_labels():
    generator = np.random.default_rng(0)
    x, y = classes(600)
    wrong = generator.choice(600, 90, replace=False)
    corrupted = y.copy()
    corrupted[wrong] = (y[wrong] + 1) % 3
    visits = {}
    for name in ("rho_loss(pool=4, passes=20.0)", "candidates(pool=4)"):
        trainer = Trainer(mlp(), name, batch_size=20, compile="graph")
        trainer.reset(0)
        trainer.fit(x, corrupted, epochs=6, verbose=0)
        visits[name] = trainer.visits[wrong].sum() / trainer.visits.sum()
    rho, loss = visits.values()
    assert rho < 0.6 * loss


def test_rho_needs_data_in_memory():
    class Source:
        def __len__(self):
            return N

        def take(self, indices):
            return X[indices], Y[indices]

    with pytest.raises(UserError, match="needs data in memory"):
        Trainer(mlp(), "rho_loss", batch_size=B).fit(Source(), verbose=0)


def test_auxiliary_models_use_the_learning_rate_of_the_run():
    found = []
    for rates in ((0.01, 0.1), (0.1,)):
        trainer = Trainer(mlp(), "rho_loss(passes=3.0)", batch_size=B, schedule="linear", compile="graph")
        for rate in rates:
            trainer.reset(4, learning_rate=rate)
            trainer.fit(X, Y, epochs=1, verbose=0)
        found.append(trainer.loop.state.state.irreducible.numpy())
    np.testing.assert_array_equal(*found)


@keras.saving.register_keras_serializable("own")
def own_loss(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


def test_auxiliary_models_use_loss_weights_and_custom_losses():
    targets = {"kind": Y, "size": X[:, :1]}
    losses = {}
    for weight in (0.5, 0.0):
        model = two_outputs(loss_weights={"kind": 1.0, "size": weight})
        trainer = Trainer(model, "rho_loss(passes=1.0)", batch_size=B, compile="graph")
        trainer.reset(0)
        trainer.fit(X, targets, epochs=1, verbose=0)
        losses[weight] = trainer.loop.state.state.irreducible.numpy()
    assert losses[0.5].mean() > losses[0.0].mean()
    del keras.saving.get_custom_objects()["own>own_loss"]
    trainer = Trainer(mlp(loss=own_loss), "rho_loss", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=1, verbose=0)
    assert trainer.counts["samples"] == N


def test_a_batch_may_be_larger_than_half_of_the_data():
    trainer = Trainer(mlp(), "rho_loss(pool=1)", batch_size=40, compile="graph")
    trainer.fit(X, Y, epochs=1, verbose=0)
    assert trainer.counts["samples"] == N
