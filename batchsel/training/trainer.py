"""The trainer: a compiled Keras model, a selector, and all state of their run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel import schedules, selectors
from batchsel.errors import UsageError, UserError
from batchsel.training import arrays, checkpoint, state
from batchsel.training.carry import COUNTS
from batchsel.training.clock import Clock
from batchsel.training.compilation import use_xla
from batchsel.training.evaluation import Evaluation, resident
from batchsel.training.feeds import Feed, Resident, Streamed
from batchsel.training.fitting import Fitting
from batchsel.training.loop import Loop
from batchsel.training.objective import kind_of
from batchsel.training.request import Request
from batchsel.training.step import Rows, Step
from batchsel.training.target import Target


class Trainer:
    """Trains a compiled Keras model on batches that a selector chooses.

    Args:
        model: Any compiled Keras model; its loss, metrics and optimiser are used.
        selector: A name, a pipe in text, a selector object, or a function
            ``(losses, batch_size, rng) -> indices``; see `batchsel.selectors.resolve`.
        batch_size: b, samples of a step.
        seed: Seed of all random choices of the selector. The weights stay as they are; see `reset`.
        schedule: Factor of the learning rate over the run: "constant", "linear", "cosine" or a function
            of progress; None leaves the rate to the optimiser and to callbacks.
        compile: "graph", "xla", or "auto", a fixed rule; see `batchsel.training.compilation`.
        evaluation_batch_size: Rows of a forward pass when evaluating; None for at least 256.

    Raises:
        UserError: If the model is not compiled, or trains in a way of its own.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile("sgd", loss, metrics=["accuracy"])
        >>> trainer = Trainer(model, selector="loss_ema", batch_size=4)
        >>> x, y = np.zeros([8, 2], "float32"), np.arange(8) % 2
        >>> history = trainer.fit(x, y, epochs=2, verbose=0)
        >>> sorted(history.history), trainer.losses.shape
        (['accuracy', 'loss'], (8,))
    """

    def __init__(
        self,
        model: keras.Model,
        selector: Any = "random",
        *,
        batch_size: int = 32,
        seed: int = 0,
        schedule: Any = None,
        compile: str = "auto",
        evaluation_batch_size: int | None = None,
    ) -> None:
        arrays.check_batch_size(batch_size)
        self.model = model
        self.selector = selectors.resolve(selector)
        self.batch_size = batch_size
        self.seed = seed
        self.schedule = schedules.schedule(schedule)
        self.clock = Clock()
        self.history: dict[str, list[float]] = {}
        self.evaluations: list[dict[str, float]] = []
        self.weights_at_target: list[np.ndarray] | None = None
        self.fit_start = 0
        self.pending: list[list[float]] = []
        self.resumed = False
        self._compile = compile
        self._evaluation_batch_size = evaluation_batch_size or max(256, batch_size)
        self._loop: Loop | None = None
        self._pending: Path | None = None
        self.step_seconds = 0.0
        self._step = Step(model, self.selector.signals, self.schedule)
        self.warm = False
        self.base_rate = _base_rate(model.optimizer, self.schedule)
        self._first_rate = self.base_rate
        self._compiled = (model._compile_loss, model._compile_metrics, model.optimizer)
        self._unborn: int | None = None

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        epochs: float = 1,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        validation_data: tuple | None = None,
        validation_split: float = 0.0,
        evaluate_every: float = 1.0,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
        verbose: int | str = "auto",
        target: str | Target | None = None,
        hold: int = 2,
        seconds: float | None = None,
        checkpoint: str | Path | None = None,
        buffer_bytes: int = 1 << 26,
    ) -> keras.callbacks.History:
        """Trains as `model.fit` does.

        Called again it trains on, with the selector's state and the optimiser's; after `resume` it
        finishes the interrupted call, whose arguments must be given again.

        Args:
            x: Inputs, first axis n; or a random-access source, ``len(x)`` samples of which
                ``x.take(indices)`` gives ``(x, y)`` or ``(x, y, sample_weight)`` arrays.
            y: Targets, first axis n; None for a source.
            epochs: Budget in passes: n times as many samples are trained on, whatever the selector.
            sample_weight: Factor of each sample's loss, first axis n.
            class_weight: Factor of the loss by class id.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` to evaluate on.
            validation_split: Share of the data, its last part, kept for validation.
            evaluate_every: Passes between evaluations, at least a batch; this is an epoch of the callbacks.
            callbacks: Keras callbacks. Hooks for batches are called at the end of each call of the
                compiled loop; a callback that overrides them gets every single batch, which is slower.
            verbose: As in `model.fit`: "auto", 0, 1 or 2.
            target: What ends the run early, such as "accuracy>=0.91", measured on the validation data.
            hold: Evaluations in a row that must meet the target.
            seconds: Seconds on the clock after which the run ends.
            checkpoint: File written after each evaluation, and when Ctrl-C is pressed.
            buffer_bytes: Memory for reading ahead from a source.

        Returns:
            The history, as Keras gives it.

        Raises:
            UserError: If the data cannot be trained on, before anything is.
            TrainingFault: If the loss is not finite, or the selector's plan makes no sense.
        """
        streamed = y is None and hasattr(x, "take") and not isinstance(x, np.ndarray | tf.data.Dataset)
        rows = None if streamed else arrays.rows_of(x, y, sample_weight, class_weight)
        validation = None if validation_data is None else arrays.rows_of(*validation_data)
        if rows is not None and validation is None and validation_split:
            rows, validation = arrays.split_last(rows, validation_split)
        if rows is None and not (sample_weight is None and class_weight is None and not validation_split):
            raise UsageError(
                "sample_weight, class_weight and validation_split are for arrays. A source gives weights with its"
                " rows, take(indices) -> (x, y, sample_weight); give validation_data for validation."
            )
        feed = Streamed(x, buffer_bytes, self.check_labels) if rows is None else Resident(rows)
        request = Request(
            feed,
            validation,
            budget=math.ceil(epochs * feed.n - 1e-6) if 0 <= epochs < math.inf else epochs,
            # An interval in which nothing is trained has no metrics.
            every=max(evaluate_every * feed.n, self.batch_size) if evaluate_every > 0 else evaluate_every,
            seconds=seconds,
            target=Target.parse(target) if isinstance(target, str) else target,
            hold=hold,
            callbacks=tuple(tf.nest.flatten(callbacks)) if callbacks else (),
            verbose=1 if verbose == "auto" else int(verbose),
            checkpoint=None if checkpoint is None else Path(checkpoint),
        )
        return Fitting(self, request).run()

    def evaluate(self, x: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
        """Loss and metrics on a data set.

        Args:
            x: Inputs, first axis of any length.
            y: Targets.
            sample_weight: Weights, or None.

        Returns:
            Values by name.
        """
        rows = arrays.rows_of(x, y, sample_weight)
        self.build(rows)
        if self._pending is not None and self._loop is None:
            self._new_loop(checkpoint.read_meta(self._pending)["n"])
            self._prepared = None
            self._restore(self._pending)
        return self.evaluation(resident(*rows))

    @property
    def losses(self) -> np.ndarray:
        """``float32[n]``: the last known loss of every sample, infinite for samples not trained on yet."""
        return self.loop.carry.losses.numpy()

    @property
    def counts(self) -> dict[str, int]:
        """Steps, samples trained on, samples scored by extra forward passes, and plans so far."""
        if self._loop is None:
            return dict.fromkeys(COUNTS, 0)
        counters = self._loop.counters(self._loop.load()).numpy()
        return dict(zip(COUNTS, map(int, counters), strict=False))

    @property
    def loop(self) -> Loop:
        """The traced loop; there once data were seen."""
        if self._loop is None:
            raise UserError("nothing was trained yet: call fit() first.")
        return self._loop

    @property
    def xla(self) -> bool:
        """Whether the loop is compiled by XLA."""
        return use_xla(self._compile, self.model, self.selector)

    def build(self, rows: Rows) -> None:
        """Builds model, optimiser and metrics by a forward pass on one sample.

        Args:
            rows: Arrays, of which the first sample is used.
        """
        one = resident(*tf.nest.map_structure(lambda leaf: None if leaf is None else leaf[:1], rows))
        outputs = self.model(one.x, training=False)
        if self._unborn is not None:
            state.initialise(self.model, self._unborn)
            self._unborn = None
        objective = self._step.objective
        # Zeros, because the targets are checked only when the kind of loss is known.
        objective.losses(tf.nest.map_structure(tf.zeros_like, one.y), outputs)
        metrics = self.model._compile_metrics
        if metrics is not None and not metrics.built:
            metrics.build(one.y, outputs)
        self.model.optimizer.build(self.model.trainable_variables)
        self._classes = tf.nest.flatten(outputs)[0].shape[-1]

    def check_labels(self, rows: Rows, numbers: np.ndarray | None = None) -> None:
        """Makes sure that class ids lie within the model's outputs.

        Args:
            rows: Arrays.
            numbers: Sample numbers of the rows; None for 0 ... n-1.

        Raises:
            UserError: If any lies outside.
        """
        leaves = self._step.objective.leaves()
        if len(leaves) == 1 and kind_of(leaves[0])[0] == "sparse":
            arrays.check_labels(tf.nest.flatten(rows.y)[0], self._classes, numbers)

    def prepare(self, feed: Feed) -> Loop:
        """The loop for a data set; a new one if its size or its types are not those of the last.

        Args:
            feed: The data.
        """
        example = feed.example()
        arrays.check_batch_size(self.batch_size, feed.n)
        form = (feed.n, type(feed).__name__, _form(example))
        if self._loop is None or self._prepared != form:
            self.build(example)
            self._new_loop(feed.n)
            self._prepared = form
        self.check_labels(example)
        if self._pending is not None:
            self._restore(self._pending)
        return self._loop

    def _new_loop(self, n: int) -> None:
        old, self.warm = self._loop, False
        self._loop = Loop(self._step, self.selector, n, self.batch_size, self.xla)
        self._loop.log_names = [*self._step.metrics.results(), "learning_rate"]
        self._loop.seed.assign(self.seed)
        self._evaluation = Evaluation(self._step, self._evaluation_batch_size, self.xla)
        if old is None:
            self._step.base_rate.assign(self.base_rate)
        elif old.n == n:
            self._loop.store(old.load())

    @property
    def evaluation(self) -> Evaluation:
        """The traced evaluation."""
        if self._loop is None:
            self._evaluation = Evaluation(self._step, self._evaluation_batch_size, self.xla)
        return self._evaluation

    def variables(self, group: str = "") -> dict[str, Any]:
        """Every variable of the run by name.

        Args:
            group: "model", "optimizer", "metric", "loop", or "" for all.
        """
        members = state.variables(self._step, self.loop)
        return {name: variable for name, variable in members.items() if name.startswith(group)}

    def reset(self, seed: int, weights: list[np.ndarray] | None = None) -> None:
        """Starts over with another seed, in place: what was traced and compiled stays.

        Args:
            seed: Seed of the selector and of the initial weights.
            weights: Initial weights as `model.get_weights` gives them; None draws them from the seed.

        Raises:
            UserError: If the model cannot be cloned to draw weights.
        """
        self.seed = seed
        if weights is not None:
            self.model.set_weights(weights)
        elif self.model.built:
            state.initialise(self.model, seed)
        else:
            self._unborn = seed
        self.clock.reset()
        self.history, self.evaluations, self.fit_start = {}, [], 0
        self.weights_at_target, self.pending = None, []
        if self.model.optimizer.built:
            state.renew(self.model.optimizer, self.model.trainable_variables, self._first_rate)
        if self._loop is not None:
            self._step.metrics.reset()
            self._loop.reset()
            self._loop.seed.assign(seed)

    def read_base_rate(self) -> None:
        """Takes the optimiser's learning rate as the one that the schedule scales."""
        if self.schedule is not None:
            self.base_rate = float(self.model.optimizer.learning_rate.numpy())
            self._step.base_rate.assign(self.base_rate)

    @property
    def current(self) -> bool:
        """Whether the model is still compiled as it was when the trainer was made."""
        now = (self.model._compile_loss, self.model._compile_metrics, self.model.optimizer)
        return all(new is old for new, old in zip(now, self._compiled, strict=True))

    def reseed(self, seed: int) -> None:
        """Sets the seed and forgets what the selector has learnt; weights and optimiser stay.

        Args:
            seed: Seed of the selector.
        """
        self.seed = seed
        if self._loop is not None:
            self._loop.reset()
            self._loop.seed.assign(seed)

    def save(self, path: str | Path) -> None:
        """Writes a checkpoint: weights, optimiser, generators, selector, plan, counters, history.

        Args:
            path: The file; conventionally ``.npz``.

        Raises:
            UserError: If it cannot be written; an older file stays as it was.
        """
        with self.clock.section("checkpoint"):
            checkpoint.write(Path(path), self.variables(), self._meta())

    def resume(self, path: str | Path) -> None:
        """Goes on from a checkpoint: the next `fit` finishes what was interrupted.

        Args:
            path: The file that `save` wrote.

        Raises:
            UserError: If it cannot be read, or was made with other settings.
        """
        meta = checkpoint.read_meta(Path(path))
        if "settings" not in meta:
            raise UserError(f"{path} is no checkpoint of a trainer: its record has no settings.")
        for key, value in self._settings().items():
            if meta["settings"][key] != value:
                raise UserError(
                    f"checkpoint {path} was made with {key}={meta['settings'][key]!r}, this trainer has"
                    f" {key}={value!r}. Use the same settings to resume."
                )
        self._pending = Path(path)

    def _restore(self, path: Path) -> None:
        meta = checkpoint.read_meta(path)
        if meta["n"] != self.loop.n:
            raise UserError(f"checkpoint {path} was made on {meta['n']} samples, these data have {self.loop.n}.")
        checkpoint.restore(path, self.variables())
        self.seed, self.fit_start = meta["seed"], meta["fit_start"]
        self.base_rate = float(self._step.base_rate.numpy())
        self.history, self.evaluations, self.pending = meta["history"], meta["evaluations"], meta["pending"]
        self.clock.nanoseconds = meta["nanoseconds"]
        self._pending, self.resumed = None, True

    def _meta(self) -> dict[str, Any]:
        return {
            "settings": self._settings(),
            "n": self.loop.n,
            "seed": self.seed,
            "fit_start": self.fit_start,
            "pending": self.pending,
            "history": self.history,
            "evaluations": self.evaluations,
            "nanoseconds": self.clock.nanoseconds,
        }

    def _settings(self) -> dict[str, Any]:
        return {"selector": repr(self.selector), "batch_size": self.batch_size, "xla": self.xla}


def _base_rate(optimizer: keras.optimizers.Optimizer, schedule: Any) -> float:
    fixed = not isinstance(getattr(optimizer, "_learning_rate", None), keras.optimizers.schedules.LearningRateSchedule)
    if schedule is not None and not fixed:
        raise UserError(
            "the optimiser has a learning-rate schedule of its own; give either that or schedule=, not both."
        )
    return float(optimizer.learning_rate.numpy()) if fixed else 0.0


def _form(rows: Rows) -> Any:
    """Structure, types and shapes of a sample: what a trace depends on."""
    leaves = [None if leaf is None else (str(leaf.dtype), tuple(leaf.shape[1:])) for leaf in tf.nest.flatten(rows)]
    return leaves, str(tf.nest.map_structure(lambda leaf: 0, rows))
