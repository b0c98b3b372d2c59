"""The trainer: a compiled Keras model, a selector, and the state of their run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from batchsel import schedules, selectors
from batchsel.core.target import HOLD, Target
from batchsel.errors import UserError
from batchsel.selectors.validation.declaration import check_sizes
from batchsel.training import checkpoint
from batchsel.training.auxiliary import AuxiliaryModels
from batchsel.training.callbacks.mlflow_tracker import autologged
from batchsel.training.checkpoint_meta import read_run
from batchsel.training.engine import Engine
from batchsel.training.fit_call import callback_state, callback_utils
from batchsel.training.fit_call.fit_config import FitConfig, FitOptions, warn_of_long_durations
from batchsel.training.fit_call.fit_loop import FitLoop
from batchsel.training.fit_call.fit_record import FitRecord
from batchsel.training.fit_call.run_results import RunResults
from batchsel.training.inputs import arguments, arrays
from batchsel.training.inputs.batch import to_tensors
from batchsel.training.inputs.fit_data import peek_validation, validate_fit_data
from batchsel.training.loop.data_feed import DataFeed, make_feed
from batchsel.training.loop.train_loop import TrainLoop
from batchsel.training.model.distributed.scope import check_devices
from batchsel.training.model.moving_moments import warn_of_lagging_moments
from batchsel.training.optim.lr_controller import read_rate
from batchsel.training.runtime import guards
from batchsel.training.runtime.clock import Clock
from batchsel.training.runtime.devices import announce_device
from batchsel.training.runtime.part_texts import part_texts, rewritten
from batchsel.training.variables import match_replicas
from batchsel.transforms import augmentation, curricula


class Trainer(RunResults):
    """Training of a compiled Keras model on batches that a selector chooses.

    The loop of `fit`; what is marked ``*`` is on the clock, and runs in compiled calls of about half a second::

        build the model, trace everything once, restore every variable
      * selector.prepare(...)                                  # trains auxiliary models, if it compares with any
        callbacks.on_train_begin()
        for epoch in range(number of evaluations):
            callbacks.on_epoch_begin()
            while samples trained on < those at the next evaluation:
      *         if the plan is used up:
      *             plan = selector.plan(state, context)
      *         batch = gather(data, plan at the cursor)
      *         if batch is a pool:
      *             batch = selector.choose(state, score(batch), context)
      *         batch = transform(batch)                       # augment, then curriculum
      *         outputs = model(batch.x)                       # forward
      *         loss = mean(batch.weights * losses(batch.y, outputs))
      *         gradients = d loss / d weights
      *         optimizer.apply_gradients(gradients)           # accumulate= averages over several batches
      *         state = selector.update(state, losses and signals of the batch, context)
                callbacks.on_train_batch_end()                 # at the end of a call; per batch if a callback needs it
            results = evaluate(validation_data)
            callbacks.on_epoch_end()
            write the checkpoint                               # also at Ctrl-C
            if the target was met hold times in a row: break
        callbacks.on_train_end()

    Args:
        model: Any compiled Keras model; its loss, metrics and optimizer are used.
        selector: A name, a pipe in text, a selector object, or a function
            ``(losses, batch_size, rng) -> indices``; see `batchsel.selectors.resolve`.
        batch_size: b, samples per batch.
        seed: Seed of all random choices of the selector. It does not change the weights; see `reset`.
        schedule: The learning rate over the run: a text such as "cosine | warmup(0.05)" (`batchsel schedules list`
            shows them), a schedule, or a function of progress that gives its factor; None leaves the rate to the
            optimizer and to callbacks.
        compile: "graph", "xla", or "auto", a fixed rule; see `batchsel.training.loop.compilation`.
        cut_padding: Whether batches of sequences, ``int[n, length]`` padded with zeros at the end, are cut to the
            longest in them; for models whose outputs do not depend on padding, which is checked.
        evaluation_batch_size: Rows of a forward pass when evaluating; None for
            at least 256, or b where loss or metrics depend on how samples are divided into batches.
        augment: Random changes of the samples of each training batch, such as "crop(4) | flip"; a Keras layer,
            a function ``x -> x`` on the batch, or a list of these; see `batchsel.transforms.augmentation.resolve`.
            Evaluation, and selectors that score pools, see the plain samples.
        curriculum: Changes of the samples that depend on time, after `augment`, such as
            "blur(sigma=1.0, until=0.2)"; see `batchsel.transforms.curricula.resolve`.
        accumulate: Batches of an update: a number, or one that doubles as in "grow(2, at=[0.5, 0.75])". The gradients
            are averaged over all samples of these batches. The last update of the budget uses the batches that are
            left; a run that ends earlier discards gradients that are not applied yet.
        devices: A number or "all", to check that the model was built for as many, in `batchsel.device_scope`; None for
            those that it was built for.

    Raises:
        UserError: If the model is not compiled; if `augment` mixes samples (mixup, CutMix) and the selector uses
            training losses; or if the model trains by code of its own, and a setting needs the losses of samples.

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
        devices: Any = None,
    ) -> None:
        guards.check_call("Trainer()")
        self.model = model
        self.selector = selectors.resolve(selector)
        self.batch_size = batch_size = arrays.check_batch_size(batch_size)
        seed = arrays.check_seed(seed)
        self.schedule = schedules.schedule(schedule)
        self.augmentation = augmentation.resolve(augment)
        self.curricula = curricula.resolve(curriculum)
        check_devices(model, devices)
        self.accumulation_schedule = schedules.accumulation_schedule(accumulate)
        self.clock = Clock()
        self.notes: dict[str, Any] = {}
        """More entries of the metadata of checkpoints, JSON."""
        self.resumed = False
        self._checkpoint: Path | None = None
        """The checkpoint to restore once the data are known."""
        self._callbacks: Sequence[keras.callbacks.Callback] = ()
        self._states: Any = None
        """States of callbacks in the checkpoint that was restored, for the next call of fit."""
        engine = Engine(
            model, self.selector, batch_size, self.schedule, compile, cut_padding, evaluation_batch_size,
            self.augmentation, self.accumulation_schedule, self.curricula,
        )  # fmt: skip
        super().__init__(engine)
        engine.seed = seed
        self.auxiliary = AuxiliaryModels(self.engine, self.clock, self._make_auxiliary_trainer)

    def _make_auxiliary_trainer(self, model: keras.Model, batch_size: int) -> Trainer:
        schedule = "linear" if hasattr(read_rate(model.optimizer), "assign") else None
        settings: dict[str, Any] = {"compile": self.engine.mode, "cut_padding": self.engine.step.cut_padding}
        return type(self)(model, batch_size=batch_size, schedule=schedule, augment=self.augmentation, **settings)

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        epochs: float | None = None,
        passes: float | None = None,
        steps_per_epoch: int | None = None,
        initial_epoch: int = 0,
        shuffle: bool = True,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        evaluate_every: float = 1.0,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
        verbose: int | str = "auto",
        target: str | Target | None = None,
        hold: int = HOLD,
        stop_at_target: bool = True,
        seconds: float | None = None,
        checkpoint: str | Path | None = None,
        buffer_bytes: int = 1 << 26,
    ) -> keras.callbacks.History:
        """Train as `model.fit` does.

        Called again, it continues with the states of the selector and the optimizer; after `resume` it finishes the
        interrupted call, whose arguments must be passed again.

        Args:
            x: Inputs, first axis n; or inputs and targets together, in one of the forms that `docs/data.md` lists: a
                source of ``len(x)`` samples, where ``x.take(indices)`` returns ``(x, y)`` or ``(x, y,
                sample_weight)``; samples by number; or batches, such as `tf.data`, which are cached first.
            y: Targets, first axis n; None where `x` holds them, and for a model with a `train_step` or `compute_loss`
                of its own that takes inputs alone.
            epochs: Budget in epochs, as in Keras; 1 if neither this nor `passes` is given. An epoch is one pass of the
                selector over its plan: n samples for "random", fewer for one that prunes; and n samples trained on
                for one that plans or chooses from pools batch by batch.
            passes: Budget in place of `epochs`: n times as many samples are trained on, whatever the selector.
            steps_per_epoch: Batches of an epoch; the selector goes on with its plan in the next. Of batches without a
                known end, as many are cached.
            initial_epoch: Number of the first epoch, from 0, as in Keras: the epochs before it are part of the budget,
                and left out.
            shuffle: False for the order of the data, which is that of the selector "fixed".
            sample_weight: Factor of each sample's loss, first axis n.
            class_weight: Factor of the loss by class id.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` to evaluate on, or data in any form that `x` may
                have alone; they are held in memory.
            validation_split: Share of the data, its last part, held out for validation.
            validation_steps: Batches to validate on, the first ones; None for all.
            validation_batch_size: Rows of these batches.
            validation_freq: Epochs between evaluations, or the epochs after which to evaluate, counted from 1.
            evaluate_every: Epochs (with `passes`: passes) between evaluations, at least a batch; this is an epoch of
                the callbacks.
            callbacks: Keras callbacks. Hooks for batches are called at the end of each call of the
                compiled loop; a callback that overrides them gets every single batch, which is slower.
            verbose: As in `model.fit`: "auto", 0, 1 or 2.
            target: Metric and threshold, such as "accuracy>=0.91", measured on the validation data.
            hold: Evaluations in a row that must meet the target.
            stop_at_target: Whether to stop when the target is reached, rather than at the end of the budget.
            seconds: Seconds on the clock after which the run ends.
            checkpoint: File written after each evaluation, and when Ctrl-C is pressed.
            buffer_bytes: Memory for prefetching from a source.

        Returns:
            The history, as Keras returns it.

        Raises:
            UserError: If the data cannot be used; raised before training starts.
            TrainingError: If the loss is not finite, or a plan of the selector cannot be used.
        """
        rows, validation_data = peek_validation(validation_data, validation_batch_size)
        options = FitOptions(
            epochs=epochs, passes=passes, steps_per_epoch=steps_per_epoch, initial_epoch=initial_epoch,
            shuffle=shuffle, validation_steps=validation_steps, validation_batch_size=rows,
            validation_freq=validation_freq, validation_split=validation_split, evaluate_every=evaluate_every,
            callbacks=callbacks, verbose=verbose, target=target, hold=hold, stop_at_target=stop_at_target,
            seconds=seconds, checkpoint=checkpoint, buffer_bytes=buffer_bytes,
        )  # fmt: skip
        with guards.exclusive(self.model, "fit()"):
            data = x, y, sample_weight, class_weight, validation_data, options.validation_split
            options.check_order(self.selector)
            rows = options.validation_batch_size or self.batch_size
            samples, validation = validate_fit_data(
                *data, steps=options.steps_per_epoch, validation_steps=options.validation_steps, validation_rows=rows,
                verbose=options.verbose, needs_targets=self.engine.step.needs_targets,
            )  # fmt: skip
            feed = make_feed(samples, options.buffer_bytes, self.engine.check_labels)
            batch_size = min(self.batch_size, feed.n)
            options = options.limited(feed.n, batch_size)
            check_sizes(self.selector, feed.n, batch_size)
            free = options.passes is None and options.steps_per_epoch is None
            by_plan = free and self.selector.plan_is_pass(feed.n, batch_size)
            parts = {"feed": feed, "validation": validation, "batch_size": batch_size, "by_plan": by_plan}
            tracked = {"callbacks": (*options.callbacks, *autologged(options.callbacks))}
            config = FitConfig(**vars(options) | tracked, **parts)
            self.engine.set_evaluation_batch_size(options.validation_batch_size)
            self.prepare(feed)
            if options.verbose:
                announce_device()
            states = self._begin_fit(config)
            timed = [self.schedule, self.curricula, self.accumulation_schedule, self.augmentation]
            warn_of_long_durations(timed, config.length, 2)
            if validation is not None and config.seconds is None:
                warn_of_lagging_moments(self.model, config.budget // batch_size, batch_size, 2)
            return FitLoop(
                config, self.engine, self.clock, self.record, self.auxiliary, self.save, states, self.batches
            ).run()

    def _begin_fit(self, config: FitConfig) -> Any:
        """Start the record of a call of fit; or keep that of the resumed call, and return the states of callbacks."""
        steps = config.steps_per_epoch or 0
        states, self._states = self._states if self.resumed else None, None
        if self.resumed:
            self.record.resume(config.by_plan, steps)
        else:
            self.engine.begin_fit()
            if config.passes is None:  # an epoch begins with the call, as in Keras; passes go on where they ended
                self.loop.drop_plan()
            self.record = FitRecord.begin(self.loop, config.by_plan, steps, config.begin(config.initial_epoch))
            self.clock.reset()
        self.resumed, self._callbacks = False, config.callbacks
        self.record.fit_budget = max(config.budget, 1)
        callback_utils.set_trainer(config.callbacks, self)
        self.batches = [] if callback_utils.read_batches(config.callbacks) else None
        return states

    def evaluate(self, x: Any, y: Any = None, sample_weight: Any = None) -> dict[str, float]:
        """Return loss and metrics by name on arrays, first axis of any length."""
        guards.check_call("evaluate()")
        samples = arrays.as_samples(x, y, sample_weight, needs_targets=self.engine.step.needs_targets)
        self.engine.build(samples)
        self.engine.check_validation(samples)
        if self._checkpoint is not None:
            if not self.engine.has_loop:
                self.engine.new_loop(read_run(self._checkpoint).meta["n"])
            self._restore(self._checkpoint)
        return self.engine.evaluation(to_tensors(*samples))

    def prepare(self, feed: DataFeed) -> TrainLoop:
        """Return the loop for a data set, and restore the checkpoint if a run is resumed."""
        loop = self.engine.prepare(feed)
        if self._checkpoint is not None:
            self._restore(self._checkpoint)
        return loop

    def reset(
        self,
        seed: int,
        weights: list[np.ndarray] | None = None,
        *,
        build: Callable[[], keras.Model] | None = None,
        learning_rate: float | None = None,
    ) -> None:
        """Start over with another seed, in place: everything traced and compiled stays.

        Without `weights` and `build`, initializers draw again from the seed; frozen layers, and the state of layers
        without trainable weights (such as `Normalization`), stay as they are. Pretrained weights would be drawn again
        too: pass `build`.

        Args:
            seed: Seed of the selector and of the initial weights.
            weights: Initial weights as `model.get_weights` returns them.
            build: Makes the model again; called with Python's generator seeded, from which Keras draws.
            learning_rate: The optimizer's learning rate from now on; None for its first one.

        Raises:
            UserError: If the model cannot be cloned to draw weights, or the optimizer cannot be copied.
        """
        guards.check_idle(self.model, "reset()")
        with self.engine.step.scope():
            self.engine.reset(arrays.check_seed(seed), weights, learning_rate, build)
        self.clock.reset()
        self.record = FitRecord()
        self._checkpoint, self.resumed, self._states = None, False, None

    def reseed(self, seed: int) -> None:
        """Set the seed and clear the state of the selector; weights and optimizer stay."""
        guards.check_idle(self.model, "reseed()")
        self.engine.reseed(arrays.check_seed(seed))

    def save(self, path: str | Path) -> None:
        """Write a checkpoint: weights, optimizer, generators, selector, plan, counters, history.

        Args:
            path: The file; conventionally ``.npz``.

        Raises:
            UserError: If it cannot be written; an older file is kept.
        """
        path = arguments.path("path", path)
        meta = self.notes | {"n": self.loop.n, "seed": self.seed, "nanoseconds": self.clock.nanoseconds}
        meta |= {"settings": {**self._settings(), "xla": self.xla}, "progress": self.record.to_json()}
        meta |= {"stalls": self.clock.stalls, "devices": self.engine.step.device_count}
        with self.clock.section("checkpoint"):
            meta["callbacks"], arrays = callback_state.get_states(self._callbacks)
            checkpoint.write(path, self.variables(), self.record.weights_at_target, meta, arrays)

    def resume(self, path: str | Path) -> None:
        """Resume from a checkpoint: the next `fit` finishes the interrupted call.

        The callbacks of Keras that wait, count or remember (`EarlyStopping`, `ReduceLROnPlateau`, `ModelCheckpoint`,
        `BackupAndRestore`) go on from their state in the checkpoint, as do others with `get_state` and `set_state`.

        Args:
            path: The file that `save` wrote.

        Raises:
            UserError: If it cannot be read, or was made with other settings.
        """
        guards.check_idle(self.model, "resume()")
        path = arguments.path("path", path)
        meta = read_run(path).meta
        checkpoint.check_settings(path, rewritten(meta["settings"]), self._settings())
        self._checkpoint = path

    def _restore(self, path: Path) -> None:
        stored = read_run(path)
        meta = stored.meta
        if meta["n"] != self.loop.n:
            raise UserError(f"checkpoint {path} was made on {meta['n']} samples, these data have {self.loop.n}.")
        if meta.get("devices", 1) == self.engine.step.device_count:
            checkpoint.check_settings(path, meta["settings"], {"xla": self.xla})
        weights = stored.weights_like(path, self.model.weights)
        record = FitRecord.from_json(path, meta["progress"], weights)
        values, members = match_replicas(stored.variables, self.variables())
        checkpoint.restore(path, stored._replace(variables=values), members)
        self.engine.seed = meta["seed"]
        self.clock.nanoseconds, self.clock.stalls = meta["nanoseconds"], meta.get("stalls", [])
        self.record = record
        self._checkpoint, self.resumed, self._states = None, True, (meta.get("callbacks", {}), stored.extra)

    __reduce_ex__ = guards.refuse_copy

    def _settings(self) -> dict[str, Any]:
        parts = {"augment": self.augmentation, "curriculum": self.curricula, "accumulate": self.accumulation_schedule}
        parts |= {"selector": self.selector, "schedule": self.schedule}
        return {"batch_size": self.batch_size, **part_texts(parts)}
