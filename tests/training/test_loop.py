"""The loop matches plain SGD on the rows of the plan, and counts steps, samples and plans."""

import keras
import numpy as np
import pytest
from problems import assert_same, classes, line, linear, mlp, noisy_mlp, variable_values
from selectors_for_tests import AllSignals, EveryK, Pool, Pruning

from batchsel import Trainer

N, B = 50, 8


class Recorder(keras.callbacks.Callback):
    """Records the rows, weights, losses and learning rate of every step."""

    def __init__(self, trainer):
        super().__init__()
        self.trainer, self.batches, self.rates, self.losses = trainer, [], [], []

    def on_train_batch_end(self, batch, logs=None):
        loop_state = self.trainer.loop.state
        start = (int(loop_state.cursor.numpy()) - 1) * B
        rows = slice(start, start + B)
        self.batches.append((loop_state.plan.indices.numpy()[rows], loop_state.plan.weights.numpy()[rows]))
        self.losses.append(loop_state.last_losses.numpy())
        self.rates.append(float(self.model.optimizer.learning_rate.numpy()))


def sgd_in_numpy(x, y, batches, weights, rate, sample_weight=None):
    """Linear regression by SGD in float64: the weights, the loss of every row of every step, the mean losses."""
    kernel, bias = (weight.astype(float).copy() for weight in weights)
    factor = np.ones(len(x)) if sample_weight is None else sample_weight
    losses, means = [], []
    for indices, plan_weights in batches:
        error = (x[indices] @ kernel + bias)[:, 0] - y[indices]
        count = (plan_weights != 0).sum()
        gradient = 2 * error * plan_weights * factor[indices] / count
        losses.append(error**2)
        # The history reports the chosen samples' own losses, whatever weights the selector gives them.
        means.append((error**2 * (plan_weights != 0) * factor[indices]).sum() / count)
        kernel -= rate * x[indices].T @ gradient[:, None]
        bias -= rate * gradient.sum()
    return [kernel, bias], losses, means


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("selector", ["random", "loss_ema", Pruning(), EveryK(2)], ids=repr)
def test_losses_and_weights_match_plain_sgd(selector, weighted):
    x, y = line(N)
    factor = np.random.default_rng(1).uniform(0.5, 2, N).astype(np.float32) if weighted else None
    trainer = Trainer(linear(rate=0.05), selector, batch_size=B, compile="graph")
    start, recorder = trainer.model.get_weights(), Recorder(trainer)
    history = trainer.fit(x, y, passes=3, sample_weight=factor, callbacks=[recorder], verbose=0).history
    weights, losses, means = sgd_in_numpy(x, y, recorder.batches, start, 0.05, factor)
    for found, expected in zip(trainer.model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    for (_, real), found, expected in zip(recorder.batches, recorder.losses, losses, strict=True):
        np.testing.assert_allclose(found[real != 0], expected[real != 0], rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(found[real == 0], found[0])
    counts = np.array([(real != 0).sum() for _, real in recorder.batches])
    assert trainer.counts["samples"] == counts.sum()
    assert trainer.counts["steps"] == len(counts)
    edges = np.searchsorted(counts.cumsum(), [N, 2 * N, 3 * N]) + 1
    epochs = zip([0, *edges], edges, strict=False)
    expected = [np.average(means[first:last], weights=counts[first:last]) for first, last in epochs]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)


def test_random_visits_every_sample_once_a_pass_in_a_new_order():
    x, y = line(N)
    trainer = Trainer(linear(), "random", batch_size=B, compile="graph")
    recorder = Recorder(trainer)
    trainer.fit(x, y, epochs=4, callbacks=[recorder], verbose=0)
    assert len(recorder.batches) == 4 * 7
    visits = [indices[weights > 0] for indices, weights in recorder.batches]
    passes = [np.concatenate(visits[7 * i : 7 * i + 7]) for i in range(4)]
    for visited in passes:
        np.testing.assert_array_equal(np.sort(visited), np.arange(N))
    assert all(len(visited) == B for visited in visits[:6])
    assert len(visits[6]) == 2
    assert len({tuple(visited) for visited in passes}) == 4


def test_rows_that_fill_up_a_batch_change_no_gradient_and_no_metric():
    x, y = classes(N)
    trainer = Trainer(mlp(optimizer=keras.optimizers.SGD(0.1)), "fixed", batch_size=32, compile="graph")
    history = trainer.fit(x, y, epochs=1, verbose=0).history
    model = mlp(optimizer=keras.optimizers.SGD(0.1))
    first, last = (model.train_on_batch(x[rows], y[rows], return_dict=True) for rows in (slice(32), slice(32, N)))
    for found, expected in zip(trainer.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    for name in ("loss", "accuracy"):
        assert history[name] == [pytest.approx((32 * first[name] + 18 * last[name]) / N, abs=1e-6)]


def test_batch_norm_does_not_see_what_fills_up_the_last_batch():
    x, y = classes(12)
    trainer = Trainer(noisy_mlp(), "fixed", batch_size=8, compile="graph")
    kernel, bias = trainer.model.layers[0].get_weights()
    trainer.fit(x, y, epochs=1, verbose=0)
    assert trainer.counts["samples"] == 12
    # The second batch is rows 8 ... 11.
    norm = trainer.model.layers[1]
    first = np.maximum(x[:8] @ kernel + bias, 0).mean(axis=0)
    start = noisy_mlp().layers[1].moving_mean.numpy()
    after_first = norm.momentum * start + (1 - norm.momentum) * first
    kernel, bias = weights_after_one_batch(x, y)
    second = np.maximum(x[8:] @ kernel + bias, 0).mean(axis=0)
    moving = norm.momentum * after_first + (1 - norm.momentum) * second
    np.testing.assert_allclose(norm.moving_mean.numpy(), moving, rtol=1e-4, atol=1e-6)


def weights_after_one_batch(x, y):
    trainer = Trainer(noisy_mlp(), "fixed", batch_size=8, compile="graph")
    trainer.fit(x, y, epochs=8 / 12, verbose=0)
    return trainer.model.layers[0].get_weights()


def test_pruned_plans_are_shorter_and_counted_by_their_samples():
    x, y = classes(N)
    trainer = Trainer(mlp(), Pruning(), batch_size=B, compile="graph")
    recorder = Recorder(trainer)
    trainer.fit(x, y, passes=6, callbacks=[recorder], verbose=0)
    kept = [int((weights > 0).sum()) for _, weights in recorder.batches]
    counts = trainer.counts
    assert counts["samples"] == sum(kept) >= 6 * N
    assert counts["steps"] == len(kept)
    assert counts["plans"] > 6
    assert counts["scored"] == 0
    assert {weight for _, weights in recorder.batches for weight in weights} == {0.0, 1.0, 2.0}


def test_a_pruning_selector_trains_on_all_samples_in_the_first_pass():
    x, y = classes(N)
    trainer = Trainer(mlp(), Pruning(), batch_size=B, compile="graph")
    trainer.fit(x, y, epochs=1, verbose=0)
    assert trainer.counts == {"steps": 7, "samples": N, "scored": 0, "plans": 1}


@pytest.mark.parametrize(
    ("selector", "each_pass"),
    # Pools of 16, 16, 16 and 2 samples give batches of 8, 8, 8 and 2; those of 24, 24 and 2 give 6, 6 and 2.
    [("candidates", {"steps": 4, "samples": 26, "scored": 50}), (Pool(), {"steps": 3, "samples": 14, "scored": 50})],
    ids=repr,
)
def test_scored_samples_are_counted_apart_from_trained_samples(selector, each_pass):
    x, y = classes(N)
    trainer = Trainer(mlp(), selector, batch_size=B, compile="graph")
    trainer.fit(x, y, epochs=2 * each_pass["samples"] / N, verbose=0)
    assert trainer.counts == {name: 2 * count for name, count in each_pass.items()} | {"plans": 2}


@pytest.mark.parametrize("score", ["loss", "gradient_norm", "probability"])
def test_candidates_trains_on_the_hardest_of_its_pool(score):
    x, y = classes(16)
    trainer = Trainer(mlp(), f"candidates(2, of={score!r})", batch_size=B, compile="graph")
    logits = trainer.model.predict(x, verbose=0)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    predicted = odds / odds.sum(axis=1, keepdims=True)
    true = predicted[np.arange(16), y]
    scores = {"loss": -np.log(true), "probability": 1 - true}
    scores["gradient_norm"] = np.linalg.norm(predicted - np.eye(3)[y], axis=1)
    trainer.fit(x, y, epochs=8 / 16, verbose=0)
    assert set(trainer.loop.state.last_indices.numpy()) == set(np.argsort(-scores[score])[:8])
    np.testing.assert_allclose(
        np.sort(trainer.loop.state.last_losses.numpy()),
        np.sort(-np.log(true[trainer.loop.state.last_indices.numpy()])),
        rtol=1e-4,
    )


def test_pools_are_scored_in_inference_mode():
    x, y = classes(N)
    trainer = Trainer(noisy_mlp(batch_norm=False), "candidates(of='loss')", batch_size=B, compile="graph")
    trainer.fit(x, y, epochs=8 / N, verbose=0)
    seeds = [variable.numpy() for variable in trainer.model.variables if "seed" in variable.path]
    reference = Trainer(noisy_mlp(batch_norm=False), "random", batch_size=B, compile="graph")
    reference.fit(x, y, epochs=8 / N, verbose=0)
    assert_same(seeds, [variable.numpy() for variable in reference.model.variables if "seed" in variable.path])
    assert seeds


def test_the_selector_updates_every_sample_once_a_pass():
    x, y = classes(N)
    trainer = Trainer(mlp(), AllSignals(), batch_size=B, compile="graph")
    trainer.fit(x, y, epochs=3, verbose=0)
    # Rows that fill up a batch repeat its first row, and writing the same value again changes nothing.
    np.testing.assert_array_equal(trainer.loop.state.state["visits"].numpy(), 3)


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_several_calls_of_fit_match_one_longer_call(compile):
    x, y = classes(N)
    whole, split = (Trainer(mlp(), "random", batch_size=B, compile=compile) for _ in range(2))
    whole.fit(x, y, epochs=3, verbose=0)
    for epochs in (0.5, 1.5, 1):
        split.fit(x, y, epochs=epochs, verbose=0)
    # Each call ends with the batch that fills its budget: 25 samples need four batches, 32 samples.
    assert split.counts["samples"] >= whole.counts["samples"]
    split.reset(1)
    whole.reset(1)
    whole.fit(x, y, epochs=3, verbose=0)
    for _ in range(3):
        split.fit(x, y, epochs=1, verbose=0)
    assert split.counts == whole.counts
    assert_same(variable_values(split.model), variable_values(whole.model))
