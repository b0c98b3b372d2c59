"""The logs of callbacks hold what varies over a run; the history and the progress bar have metrics and the rate."""

import keras
import numpy as np
import pytest
from problems import classes, mlp

from batchsel import Trainer

N, B = 48, 8
X, Y = classes(N)
METRICS = {"loss", "accuracy", "val_loss", "val_accuracy"}


class Collect(keras.callbacks.Callback):
    def set_trainer(self, trainer):
        self.trainer = trainer
        self.seen, self.visits, self.points = [], [], []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(logs)
        self.visits.append(self.trainer.visits)
        self.points.append(None if self.trainer.schedule_log is None else self.trainer.schedule_log["values"][-1])


def fit(selector="random", x=X, build=mlp, verbose=0, **options):
    collect = Collect()
    trainer = Trainer(build(), selector, batch_size=B, compile="graph", **options)
    trainer.fit(x, Y, passes=4, validation_data=(x, Y), callbacks=[collect], verbose=verbose)
    return trainer, collect


def test_the_logs_of_a_plain_run_are_those_of_keras():
    _, collect = fit()
    assert all(set(logs) == METRICS for logs in collect.seen)


def test_rates_of_groups_are_in_the_logs_as_they_were_used():
    trainer, collect = fit(schedule="cosine | lerac(0.5)")
    names = trainer.schedule_log["names"]
    for logs, point in zip(collect.seen, collect.points, strict=True):
        for name, value in zip(names, point, strict=True):
            assert logs[name.replace(" ", "_")] == pytest.approx(value, rel=1e-5)
    groups = [name for name in collect.seen[0] if name.startswith("rate_of_group_")]
    assert len(groups) == len(trainer.layer_groups.names)
    # LeRaC's later groups start with lower rates, and all end with the same.
    assert collect.seen[0]["rate_of_group_0"] > collect.seen[0][groups[-1]]
    assert set(trainer.history) == METRICS | {"learning_rate"}


def test_blur_and_growing_batches_are_in_the_logs():
    images = np.random.default_rng(0).normal(size=(N, 6, 6, 1)).astype("float32")

    def build():
        inputs = keras.Input((6, 6, 1))
        model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, metrics=["accuracy"])
        return model

    trainer, collect = fit(
        x=images, build=build, curriculum="blur(sigma=1.0, until=0.5)", accumulate="grow(2, at=[0.5])"
    )
    assert [logs["batch_size"] for logs in collect.seen] == [B, B, 2 * B, 2 * B]
    sigmas = [logs["blur_sigma"] for logs in collect.seen]
    assert sigmas[0] > 0
    assert sigmas[2:] == [0, 0]
    assert set(trainer.history) == METRICS


def test_visits_are_in_the_logs_where_samples_are_selected():
    _, collect = fit("loss_ema")
    for logs, visits in zip(collect.seen, collect.visits, strict=True):
        assert logs["visited"] == np.count_nonzero(visits) / N
        assert logs["most_visits"] == visits.max()


def test_the_progress_bar_shows_metrics_alone(capsys):
    fit("loss_ema", schedule="lerac(0.5)", verbose=2)
    shown = capsys.readouterr().out
    assert "val_accuracy" in shown
    assert "rate_of_group" not in shown
    assert "visited" not in shown


def test_a_metric_with_such_a_name_stays_in_the_history():
    def build():
        model = mlp()
        visited = keras.metrics.SparseCategoricalAccuracy(name="visited")
        model.compile("sgd", model.loss, metrics=[visited])
        return model

    trainer, collect = fit("loss_ema", build=build)
    assert len(trainer.history["visited"]) == 4
    assert collect.seen[-1]["visited"] == trainer.history["visited"][-1]
