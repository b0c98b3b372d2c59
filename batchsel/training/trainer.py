"""The trainer: a compiled Keras model, a selector, and all state of their run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel import schedules, selectors
from batchsel.core.target import Target
from batchsel.errors import UserError
from batchsel.training import checkpoint
from batchsel.training.auxiliary import AuxiliaryModels
from batchsel.training.engine import Engine
from batchsel.training.fit.fit_config import FitConfig
from batchsel.training.fit.fit_loop import FitLoop
from batchsel.training.fit.fit_record import FitRecord
from batchsel.training.inputs import arrays
from batchsel.training.loop.data_feed import DataFeed, InMemoryFeed, StreamingFeed
from batchsel.training.loop.evaluation import to_tensors
from batchsel.training.loop.loop_state import COUNTS
from batchsel.training.loop.train_loop import Loop
from batchsel.training.optim.layer_groups import LayerGroups
from batchsel.training.runtime.clock import Clock
from batchsel.transforms import augmentation, curricula


class Trainer:
    """Trains a compiled Keras model on batches that a selector chooses.

    Args:
        model: Any compiled Keras model; its loss, metrics and optimizer are used.
        selector: A name, a pipe in text, a selector object, or a function
            ``(losses, batch_size, rng) -> indices``; see `batchsel.selectors.resolve`.
        batch_size: b, samples of a step.
        seed: Seed of all random choices of the selector. The weights stay as they are; see `reset`.
        schedule: The learning rate over the run: a text such as "cosine | warmup(0.05)" (`batchsel schedules list`
            names them all), a schedule, or a function of progress that gives its factor; None leaves the rate to the
            optimizer and to callbacks.
        compile: "graph", "xla", or "auto", a fixed rule; see `batchsel.training.loop.compilation`.
        cut_padding: Whether batches of sequences, ``int[n, length]`` padded with zeros behind, are cut to the longest
            in them; for models whose outputs do not depend on padding, which is checked.
        evaluation_batch_size: Rows of a forward pass when evaluating; None for at least 256.
        augment: What changes the samples of each batch on their way into training, such as "crop(4) | flip"; a Keras
            layer, a function ``x -> x`` on the batch, or a list of these; see `batchsel.augmentation.resolve`.
            Evaluation, and selectors that score pools, see the plain samples.
        curriculum: What changes how samples look over time, behind `augment`, such as "blur(sigma=1.0, until=0.2)"; see
            `batchsel.curricula.resolve`.
        accumulate: How many batches make one update: a number, or one that grows as in "grow(2, at=[0.5, 0.75])". The
            gradients are averaged over all samples of these batches. The last update of the budget takes what is left;
            a run that ends before its budget drops what it has not applied.

    Raises:
        UserError: If the model is not compiled, or trains in a way of its own; or if `augment` mixes samples (mixup,
            CutMix), and the selector goes by the losses of training.

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
        cut_padding: bool = False,
        evaluation_batch_size: int | None = None,
        augment: Any = None,
        curriculum: Any = None,
        accumulate: Any = None,
    ) -> None:
        self.model = model
        self.selector = selectors.resolve(selector)
        self.batch_size = batch_size = arrays.check_batch_size(batch_size)
        self.schedule = schedules.schedule(schedule)
        self.augmentation = augmentation.resolve(augment)
        self.curricula = curricula.resolve(curriculum)
        self.growth = schedules.accumulation_schedule(accumulate)
        self.clock = Clock()
        self.progress = FitRecord()
        self.resumed = False
        rows = evaluation_batch_size or max(256, batch_size)
        self.engine = Engine(
            model, self.selector, batch_size, self.schedule, compile, cut_padding, rows, self.augmentation,
            self.growth, self.curricula,
        )  # fmt: skip
        self.engine.seed = arrays.checked_seed(seed)
        self._to_restore: Path | None = None
        self.reference: AuxiliaryModels | None = None

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
        run_on: bool = False,
        seconds: float | None = None,
        checkpoint: str | Path | None = None,
        buffer_bytes: int = 1 << 26,
    ) -> keras.callbacks.History:
        """Trains as `model.fit` does.

        Called again it trains on, with the selector's state and the optimizer's; after `resume` it
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
            run_on: Whether to go on to the end of the budget when the target is reached.
            seconds: Seconds on the clock after which the run ends.
            checkpoint: File written after each evaluation, and when Ctrl-C is pressed.
            buffer_bytes: Memory for reading ahead from a source.

        Returns:
            The history, as Keras gives it.

        Raises:
            UserError: If the data cannot be trained on, before anything is.
            TrainingError: If the loss is not finite, or the selector's plan makes no sense.
        """
        rows, validation = arrays.validate_fit_data(
            x, y, sample_weight, class_weight, validation_data, validation_split
        )
        config = FitConfig(
            StreamingFeed(x, buffer_bytes, self.engine.check_labels) if rows is None else InMemoryFeed(rows),
            validation,
            self.batch_size,
            epochs=epochs,
            evaluate_every=evaluate_every,
            seconds=seconds,
            target=Target.parse(target) if isinstance(target, str) else target,
            hold=hold,
            run_on=run_on,
            callbacks=tuple(tf.nest.flatten(callbacks)) if callbacks else (),
            verbose=verbose,
            checkpoint=None if checkpoint is None else Path(checkpoint),
        )
        return FitLoop(self, config).run()

    def evaluate(self, x: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
        """Loss and metrics on a data set.

        Args:
            x: Inputs, first axis of any length.
            y: Targets.
            sample_weight: Weights, or None.

        Returns:
            Values by name.
        """
        rows = arrays.as_rows(x, y, sample_weight)
        self.engine.build(rows)
        if self._to_restore is not None:
            if not self.engine.has_loop:
                self.engine.new_loop(checkpoint.read(self._to_restore).meta["n"])
            self._restore()
        return self.engine.evaluation(to_tensors(*rows))

    @property
    def losses(self) -> np.ndarray:
        """``float32[n]``: the last known loss of every sample, infinite for samples not trained on yet.

        It is that of the sample as it was trained on, augmented; where samples are mixed, that of the mixture.
        """
        return self.loop.state.losses.numpy()

    @property
    def visits(self) -> np.ndarray:
        """``int32[n]``: how often every sample was trained on."""
        return self.loop.state.visits.numpy()

    @property
    def schedule_log(self) -> dict[str, Any] | None:
        """What changed over time in the last call of fit, at up to 200 points; None if nothing was asked to.

        Of "names" (the learning rate, the momentum, rates of layers, what curricula do), "samples" trained on before
        each point, and "values" by point and name.
        """
        schedule_log = self.loop.schedule_log
        return None if schedule_log is None else schedule_log.values(self.progress.fit_budget)

    @property
    def layer_groups(self) -> LayerGroups | None:
        """The groups of layers that have learning rates of their own; None if the schedule has none."""
        lr_controller = self.engine.step.lr_controller
        return lr_controller.groups if lr_controller.by_layer else None

    @property
    def counts(self) -> dict[str, int]:
        """Steps, samples trained on, samples scored by extra forward passes, and plans so far."""
        if not self.engine.has_loop:
            return dict.fromkeys(COUNTS, 0)
        counters = self.loop.counters(self.loop.load()).numpy()
        return dict(zip(COUNTS, map(int, counters), strict=False))

    @property
    def seed(self) -> int:
        """Seed of the selector's random choices."""
        return self.engine.seed

    @property
    def history(self) -> dict[str, list[float]]:
        """What Keras's History holds, of the last call of fit."""
        return self.progress.history

    @property
    def evaluations(self) -> list[dict[str, float]]:
        """Counts, seconds and results of each evaluation of the last call of fit."""
        return self.progress.evaluations

    @property
    def weights_at_target(self) -> list[np.ndarray] | None:
        """Weights at the evaluation at which the target was reached (or met last, if it was not held), or None."""
        return self.progress.weights_at_target

    @property
    def loop(self) -> Loop:
        """The traced loop; there once data were seen."""
        return self.engine.loop

    @property
    def xla(self) -> bool:
        """Whether the loop is compiled by XLA."""
        return self.engine.xla

    def variables(self) -> dict[str, Any]:
        """Every variable of the run by name, as a checkpoint holds them."""
        return self.engine.variables()

    def prepare(self, feed: DataFeed) -> Loop:
        """The loop for a data set, with the checkpoint to resume from in its variables.

        Args:
            feed: The data.
        """
        loop = self.engine.prepare(feed)
        if self._to_restore is not None:
            self._restore()
        return loop

    def reset(
        self,
        seed: int,
        weights: list[np.ndarray] | None = None,
        *,
        build: Callable[[], keras.Model] | None = None,
        learning_rate: float | None = None,
    ) -> None:
        """Starts over with another seed, in place: what was traced and compiled stays.

        Without `weights` and `build`, what initializers draw is drawn anew from the seed; frozen layers, and
        what layers without trainable weights have learned (such as `Normalization`), stay as they are. Weights
        that were loaded and are to be trained on would be drawn anew too: give `build`.

        Args:
            seed: Seed of the selector and of the initial weights.
            weights: Initial weights as `model.get_weights` gives them.
            build: Makes the model anew; called with Python's generator seeded, from which Keras draws.
            learning_rate: The optimizer's learning rate from now on; None for that which it had first.

        Raises:
            UserError: If the model cannot be cloned to draw weights, or the optimizer not be copied.
        """
        self.engine.reset(arrays.checked_seed(seed), weights, learning_rate, build)
        self.clock.reset()
        self.progress = FitRecord()
        self._to_restore, self.resumed = None, False

    def reseed(self, seed: int) -> None:
        """Sets the seed and forgets what the selector has learned; weights and optimizer stay.

        Args:
            seed: Seed of the selector.
        """
        self.engine.reseed(arrays.checked_seed(seed))

    def save(self, path: str | Path) -> None:
        """Writes a checkpoint: weights, optimizer, generators, selector, plan, counters, history.

        Args:
            path: The file; conventionally ``.npz``.

        Raises:
            UserError: If it cannot be written; an older file stays as it was.
        """
        meta = {
            "settings": {**self._settings(), "xla": self.xla},
            "n": self.loop.n,
            "seed": self.seed,
            "nanoseconds": self.clock.nanoseconds,
            "progress": self.progress.record(),
        }
        with self.clock.section("checkpoint"):
            checkpoint.write(Path(path), self.variables(), self.progress.weights_at_target, meta)

    def resume(self, path: str | Path) -> None:
        """Goes on from a checkpoint: the next `fit` finishes what was interrupted.

        What callbacks remember (such as how long `EarlyStopping` has waited) is not in a checkpoint.

        Args:
            path: The file that `save` wrote.

        Raises:
            UserError: If it cannot be read, or was made with other settings.
        """
        meta = checkpoint.read(Path(path)).meta
        if not {"settings", "n", "seed", "nanoseconds", "progress"} <= set(meta):
            raise UserError(f"{path} is no checkpoint of a trainer: its record has no settings.")
        self._check_settings(Path(path), meta, self._settings())
        self._to_restore = Path(path)

    def _check_settings(self, path: Path, meta: dict[str, Any], own: dict[str, Any]) -> None:
        for key, value in own.items():
            if key in meta["settings"] and meta["settings"][key] != value:
                raise UserError(
                    f"checkpoint {path} was made with {key}={meta['settings'][key]!r}, this trainer has"
                    f" {key}={value!r}. Use the same settings to resume."
                )

    def _restore(self) -> None:
        path = self._to_restore
        stored = checkpoint.read(path)
        meta = stored.meta
        if meta["n"] != self.loop.n:
            raise UserError(f"checkpoint {path} was made on {meta['n']} samples, these data have {self.loop.n}.")
        self._check_settings(path, meta, {"xla": self.xla})
        checkpoint.restore(path, stored, self.variables())
        self.engine.seed = meta["seed"]
        self.clock.nanoseconds = meta["nanoseconds"]
        self.progress = FitRecord(**meta["progress"], weights_at_target=stored.weights_like(self.model.weights))
        self._to_restore, self.resumed = None, True

    def _settings(self) -> dict[str, Any]:
        parts = {"augment": self.augmentation, "curriculum": self.curricula, "accumulate": self.growth}
        parts |= {"schedule": self.schedule}
        texts = {name: None if part is None else repr(part) for name, part in parts.items()}
        return {"selector": repr(self.selector), "batch_size": self.batch_size, **texts}
