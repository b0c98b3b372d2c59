"""Pools scored by a proxy: against a loop by hand, and as a part of a run that is stopped, reset and compiled."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance import _eagerly as eagerly
from problems import assert_same, classes, compile_model, mlp, noisy_mlp, sparse
from save_at import SaveAt

from batchsel import Trainer, UserError
from batchsel.training.diagnostics.scoring_quality import SCORED_POOLS, scoring_quality

N, B, STEPS = 200, 8, 12
X, Y = classes(N, 6)


def values_of(trainer):
    return [np.array(variable.numpy()) for _, variable in sorted(trainer.variables().items())]


def proxy_of(trainer):
    return trainer.engine.step.cheap_model


def start_weights(text, model, seed, **settings):
    """Return a trainer that is reset, and the weights with which its model and its proxy begin."""
    trainer = Trainer(model, text, batch_size=B, **settings)
    trainer.fit(X, Y, passes=B / N, verbose=0)
    trainer.reset(seed)
    return trainer, model.get_weights(), proxy_of(trainer).step.model.get_weights()


def losses_of(model, rows):
    logits = tf.cast(model(X[rows], training=False), tf.float32)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(Y[rows], logits).numpy()


def update(model, optimizer, rows):
    with tf.GradientTape() as tape:
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(Y[rows], model(X[rows], training=True))
        mean = tf.reduce_mean(loss)
    optimizer.apply_gradients(
        zip(tape.gradient(mean, model.trainable_variables), model.trainable_variables, strict=True)
    )
    return loss.numpy()


def rate_of(kind, step):
    return {"plain": 0.02, "linear": 0.02 * (1 - step / STEPS), "of the optimizer": 0.02 * 0.9**step}[kind]


@pytest.mark.parametrize("kind", ["plain", "linear", "of the optimizer"])
@pytest.mark.parametrize("make", [lambda rate: keras.optimizers.SGD(rate, momentum=0.9), keras.optimizers.Adam])
def test_it_is_the_loop_by_hand_over_two_models(make, kind):
    rate = keras.optimizers.schedules.ExponentialDecay(0.02, 1, 0.9) if kind == "of the optimizer" else 0.02
    schedule = "linear" if kind == "linear" else None
    text = "candidates(2) | score(proxy=0.25, proxy_every=4)"
    trainer, first, narrow = start_weights(text, mlp(6, optimizer=make(rate)), 5, schedule=schedule)
    trainer.fit(X, Y, passes=STEPS * B / N, verbose=0)

    model = mlp(6, optimizer=make(rate))
    proxy = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, "tanh"), keras.layers.Dense(3)])
    model.set_weights(first)
    proxy.set_weights(narrow)
    optimizers = make(0.02), make(0.02)
    pools = trainer.loop.state.plan.indices.numpy().reshape(-1, 2 * B)
    visits, last = np.zeros(N, int), np.full(N, np.inf)
    for step in range(STEPS):
        losses = losses_of(proxy, pools[step])
        rows = pools[step][np.argsort(-losses, kind="stable")[:B]]
        for optimizer in optimizers:
            optimizer.learning_rate = rate_of(kind, step)
        if step % 4 == 0:
            update(proxy, optimizers[1], rows)
        last[rows] = update(model, optimizers[0], rows)
        visits[rows] += 1
    np.testing.assert_array_equal(trainer.visits, visits)
    np.testing.assert_allclose(trainer.losses, last, rtol=1e-5, atol=1e-5)
    for weight, by_hand in zip(trainer.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, by_hand, atol=1e-5)
    found = proxy_of(trainer).step.model.get_weights()
    assert any((weight != before).any() for weight, before in zip(found, narrow, strict=True))
    for weight, by_hand in zip(found, proxy.get_weights(), strict=True):
        np.testing.assert_allclose(weight, by_hand, atol=1e-5)


def test_cost_is_counted_by_the_multiplications_and_includes_training():
    trainer = Trainer(mlp(6), "online_proxy(pool=3, width=0.5, every=5)", batch_size=B)
    trainer.fit(X, Y, passes=STEPS * B / N, verbose=0)
    share = (6 * 4 + 4 * 3) / (6 * 8 + 8 * 3)
    pools = 3 * B * 8 + 8  # 200 samples are eight pools of 24 and one of 8; then the next plan begins
    scored = pools + 3 * 3 * B
    trained = 3 * B
    assert int(proxy_of(trainer).scored.numpy()) == scored
    assert int(proxy_of(trainer).trained.numpy()) == trained
    assert trainer.counts["scored"] == int(share * (scored + 3 * trained))


@pytest.mark.parametrize("n", [N, 50])
def test_all_modes_train_the_same_proxy(n):
    runs = []
    for mode in ("graph", "xla", "eager"):
        model = mlp(6, optimizer=keras.optimizers.Adam(0.01))
        with eagerly(mode == "eager"):
            trainer = Trainer(
                model, "online_proxy(every=2)", batch_size=B, compile="graph" if mode == "eager" else mode
            )
            trainer.reset(2)
            trainer.fit(X[:n], Y[:n], epochs=2, verbose=0)
        runs.append((trainer, proxy_of(trainer).step.model.get_weights()))
    assert runs[1][0].loop.trace_count() == 1
    for trainer, weights in runs[1:]:
        np.testing.assert_array_equal(trainer.visits, runs[0][0].visits)
        assert trainer.counts == runs[0][0].counts
        for left, right in zip(weights, runs[0][1], strict=True):
            np.testing.assert_allclose(left, right, atol=1e-5)


@pytest.mark.parametrize("text", ["online_proxy", "great(3) | score(proxy=0.5, proxy_every=2)"])
def test_a_resumed_run_is_bit_equal(text, tmp_path):
    def make():
        return Trainer(noisy_mlp(6, optimizer=keras.optimizers.Adam(0.01)), text, batch_size=B, schedule="cosine")

    whole, stopped = make(), make()
    for trainer in (whole, stopped):
        trainer.reset(4)
    path = tmp_path / "run.npz"
    history = whole.fit(X, Y, epochs=2, callbacks=[SaveAt(whole, 10**9, path)], verbose=0)
    stopped.fit(X, Y, epochs=2, callbacks=[SaveAt(stopped, 14, path, stop=True)], verbose=0)
    resumed = make()
    resumed.resume(path)
    again = resumed.fit(X, Y, epochs=2, callbacks=[SaveAt(resumed, 10**9, path)], verbose=0)
    assert_same(values_of(whole), values_of(resumed))
    assert history.history == again.history
    assert any(name.startswith("scoring/") for name in whole.variables())


def test_a_checkpoint_of_another_proxy_is_refused(tmp_path):
    trainer = Trainer(mlp(6), "online_proxy", batch_size=B)
    trainer.fit(X, Y, epochs=1, verbose=0)
    trainer.save(tmp_path / "run.npz")
    with pytest.raises(UserError, match="was made with selector="):
        Trainer(mlp(6), "online_proxy(every=3)", batch_size=B).resume(tmp_path / "run.npz")


def test_a_new_seed_begins_with_a_new_proxy():
    trainer = Trainer(noisy_mlp(6, optimizer=keras.optimizers.Adam(0.01)), "online_proxy", batch_size=B)
    runs, starts = [], []
    for seed in (3, 4, 3):
        trainer.reset(seed)
        trainer.fit(X, Y, epochs=1, verbose=0)
        runs.append(values_of(trainer))
        trainer.reset(seed)
        starts.append(values_of(trainer))
    assert_same(runs[0], runs[2])
    assert_same(starts[0], starts[2])
    first, other = (start for start in starts[:2])
    assert any((left != right).any() for left, right in zip(first, other, strict=True))
    assert int(proxy_of(trainer).scored.numpy()) == int(proxy_of(trainer).trained.numpy()) == 0
    assert int(proxy_of(trainer).step.optimizer.iterations.numpy()) == 0


def test_a_fresh_trainer_is_one_that_was_reset_to_its_seed():
    proxies = []
    for reset in (True, False):
        trainer = Trainer(mlp(6), "online_proxy", batch_size=B, seed=6)
        if reset:
            first = trainer.model.get_weights()
            trainer.reset(6, first)
        trainer.fit(X, Y, epochs=1, verbose=0)
        proxies.append(values_of(trainer))
    assert_same(*proxies)


def test_a_change_of_the_rate_by_a_callback_is_that_of_the_proxy_too():
    trainer = Trainer(mlp(6, optimizer=keras.optimizers.SGD(0.1)), "online_proxy(every=1)", batch_size=B)
    weights = [[]]

    def stop_after_the_first(epoch, logs):
        weights.append(proxy_of(trainer).step.model.get_weights())
        trainer.model.optimizer.learning_rate = 0.0

    stop = keras.callbacks.LambdaCallback(on_epoch_end=stop_after_the_first)
    trainer.fit(X, Y, epochs=3, callbacks=[stop], verbose=0)
    assert_same(weights[1], weights[3])


def test_pools_are_scored_in_few_bits_filtered_and_from_a_source_too():
    class Source:
        def __len__(self):
            return N

        def take(self, indices):
            return X[indices], Y[indices]

    text = "candidates(4) | score(dtype='bfloat16', prefilter=0.5, proxy=0.5, proxy_every=1)"
    streamed, held = (Trainer(mlp(6), text, batch_size=B, compile="graph") for _ in range(2))
    for trainer, data in ((streamed, (Source(),)), (held, (X, Y))):
        trainer.reset(1)
        trainer.fit(*data, epochs=1, verbose=0)
    assert_same(values_of(streamed), values_of(held))
    assert streamed.counts["scored"] == held.counts["scored"] > 0


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x):
        return self.dense(x)


def ends_in_two_layers():
    inputs = keras.Input((6,))
    return keras.Model(
        inputs, keras.layers.Concatenate()([keras.layers.Dense(2)(inputs), keras.layers.Dense(2)(inputs)])
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Own, "cannot copy Own to train a narrower one"),
        (
            lambda: keras.Sequential([keras.Input((6,)), keras.layers.Lambda(lambda x: 2 * x), keras.layers.Dense(3)]),
            "cannot copy Sequential to train a narrower one",
        ),
        (ends_in_two_layers, "has outputs of the shape"),
    ],
)
def test_models_that_cannot_be_copied_are_refused_before_training(make, words):
    model = make()
    model.compile("sgd", sparse())
    model(X[:1])
    before = model.get_weights()
    with pytest.raises(UserError, match=words) as found:
        Trainer(model, "online_proxy", batch_size=B).fit(X, Y, verbose=0)
    assert "score(dtype='bfloat16')" in str(found.value)
    assert "\n" not in str(found.value)
    assert_same(model.get_weights(), before)


def test_the_quality_of_the_scores_is_that_of_the_proxy():
    trainer = Trainer(mlp(6), "candidates(2) | score(proxy=1.0)", batch_size=B)
    trainer.fit(X, Y, epochs=2, verbose=0)
    before = values_of(trainer)
    rows = np.random.default_rng(0).permutation(N)[: SCORED_POOLS * 2 * B]
    other = scoring_quality(trainer, rows, X[rows], Y[rows])["spearman"]
    assert_same(values_of(trainer), before)
    pools = rows.reshape(SCORED_POOLS, 2 * B)

    def ranks(model):
        return np.argsort(np.argsort([losses_of(model, pool) for pool in pools], axis=1), axis=1)

    pairs = zip(ranks(trainer.model), ranks(proxy_of(trainer).step.model), strict=True)
    assert other == pytest.approx(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]), abs=1e-6)
    assert other < 1
    proxy_of(trainer).step.model.set_weights(trainer.model.get_weights())
    quality = scoring_quality(trainer, rows, X[rows], Y[rows])
    assert quality["spearman"] == pytest.approx(1)
    assert quality["passes"] > 0


def test_a_proxy_keeps_what_was_learned_before_training():
    scale = keras.layers.Normalization()
    scale.adapt(50 * X + 7)
    model = compile_model(keras.Sequential([keras.Input((6,)), scale, keras.layers.Dense(8), keras.layers.Dense(3)]))
    scale.adapt(50 * X + 7)
    trainer = Trainer(model, "online_proxy", batch_size=B)
    trainer.fit(50 * X + 7, Y, epochs=1, verbose=0)
    for seed in (None, 1):
        if seed is not None:
            trainer.reset(seed)
        own = proxy_of(trainer).step.model.layers[0]
        np.testing.assert_allclose(own(50 * X + 7), scale(50 * X + 7), rtol=1e-6)
