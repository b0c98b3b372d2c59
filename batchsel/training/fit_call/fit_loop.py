"""One call of fit: segments between evaluations, callbacks, the target, checkpoints, interruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from batchsel.core import keras_private
from batchsel.core.target import first_reached
from batchsel.errors import UserError
from batchsel.training import variables
from batchsel.training.auxiliary import AuxiliaryModels
from batchsel.training.engine import Engine
from batchsel.training.fit_call import callback_state, callback_utils
from batchsel.training.fit_call.delayed_signals import DelayedSignals
from batchsel.training.fit_call.fit_config import FitConfig
from batchsel.training.fit_call.fit_record import FitRecord
from batchsel.training.fit_call.trained_batch import TrainedBatch, last_batch
from batchsel.training.fit_call.varying_values import MetricsHistory, varying_values
from batchsel.training.inputs.batch import Samples, to_tensors
from batchsel.training.loop.data_feed import LoopResult
from batchsel.training.loop.errors import check_evaluation, raise_for_status, selector_errors
from batchsel.training.loop.loop_state import COUNTS, SEGMENTS
from batchsel.training.runtime.clock import Clock

_RESPONSE = 0.5
"""Seconds after which a call returns to Python, for progress and Ctrl-C."""


class FitLoop:
    """One call of fit.

    Args:
        config: Settings of the call.
        engine: The traced loop and evaluation, prepared for the data.
        clock: The clock of the run.
        record: The record to be filled; it has content if the call was interrupted before.
        auxiliary: Models that selectors compare with.
        save: Writes a checkpoint to a path.
        states: States of callbacks from the checkpoint of a resumed call, or None.
        batches: List to be filled with the batches since the last hook, or None.

    Raises:
        UsageError: If a target or a callback does not suit the model.
    """

    def __init__(
        self,
        config: FitConfig,
        engine: Engine,
        clock: Clock,
        record: FitRecord,
        auxiliary: AuxiliaryModels,
        save: Callable[[Path], None],
        states: tuple[Mapping[str, Any], Mapping[str, np.ndarray]] | None = None,
        batches: list[TrainedBatch] | None = None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._model = engine.model
        self._loop = engine.loop
        self._clock = clock
        self._record = record
        self._auxiliary = auxiliary
        self._save = save
        self._states = states
        self._batches = batches
        self._clear_batches = callback_utils.read_every_batch(config.callbacks)
        self._scheduled = engine.step.lr_controller.schedule is not None
        self._check()
        self._window = record.window(self._loop.n)
        self._validation = None if config.validation is None else to_tensors(*config.validation)
        self._counts: dict[str, int] = self._loop.counts()
        self._position = self._loop.position(self._window)
        self._history = MetricsHistory(record.history)
        self._callbacks = callback_utils.callback_list(config, self._model, self._history)
        self._every_batch = callback_utils.needs_every_batch(config.callbacks)
        # As in Keras, hooks for batches are called once for those of an execution; what reads each batch needs all.
        self._hook_steps = 1 if batches is not None else max(int(self._model.steps_per_execution), 1)
        self._batch_hooks = callback_utils.needs_batches(self._callbacks)
        self._test_hooks = callback_utils.needs_test_batches(config.callbacks)
        self._several_epochs = callback_utils.can_skip_epochs(config)
        self._signals = DelayedSignals()
        self._between_epochs = True

    def _check(self) -> None:
        config = self._config
        rate = keras_private.get_learning_rate_setting(self._model.optimizer)
        own = isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
        if self._scheduled or own:
            callback_utils.reject_lr_callbacks(config.callbacks, own)
        if config.target is not None:
            config.target.check([name for name in self._loop.log_names if name != "learning_rate"])
            for results in self._record.evaluations[:1]:  # of a checkpoint
                config.target.check(results)
        if config.validation is not None:
            self._engine.check_validation(config.validation)

    def run(self) -> keras.callbacks.History:
        """Train until the budget is used up, the target is held, or a callback stops training.

        Returns:
            The history.

        Raises:
            TrainingError: If the loss is not finite, or a plan of the selector cannot be used.
            KeyboardInterrupt: After Ctrl-C, once the call under way has returned and, if there is a
                checkpoint file, everything is saved. Handlers of other signals are called then, too.
        """
        with self._clock.section("tracing"):
            self._engine.warm_up(self._config.feed, self._window, self._validation)
        self._loop = self._engine.loop  # another one, if XLA could not compile the first
        with self._clock.watch_stalls():
            self._auxiliary.prepare_selector(self._config.feed)
            with self._signals:
                try:
                    self._train()
                except BaseException as error:
                    callback_utils.report_error(self._config.callbacks, error)
                    raise
                finally:
                    self._engine.step.lr_controller.restore_base_rate()
        return self._history

    def _train(self) -> None:
        record, model = self._record, self._model
        model.stop_training = False
        self._begin()
        self._counts, self._position, logs = self._loop.counts(), self._loop.position(self._window), {}
        for row in list(record.pending):
            # The checkpoint was written when an interval had ended, but before its evaluation and hooks.
            epoch = self._epoch() - len(record.pending)
            self._callbacks.on_epoch_begin(epoch)
            logs = self._end_epoch(epoch, np.array(row, np.float32))
        self._between_epochs = self._counts["steps"] == record.epoch_start
        # As in Keras, a callback that stops training at the start lets the first epoch begin, and ends it.
        first = True
        while (epoch := self._epoch()) < self._config.intervals and not self._done(stops=not first):
            logs = self._run_epochs(epoch) or logs
            first = False
        self._raise_if_interrupted()
        if model.stop_training and self._counts["steps"] > record.epoch_start:
            # A callback stopped training in the middle of an interval, which then ends, as in Keras.
            row = self._loop.log_row().numpy()
            logs = self._end_epoch(self._epoch(), row)
        optimizer = self._engine.step.optimizer
        if record.history and optimizer is not None:
            optimizer.finalize_variable_values(model.trainable_weights)
        self._callbacks.on_train_end(logs)

    def _begin(self) -> None:
        """Call the first hook, and set callbacks and the first epoch as a checkpoint or a backup has them."""
        record, model = self._record, self._model
        states, self._states = self._states, None
        members = None if states is None else variables.snapshot(self._engine.variables())
        keras_private.take_initial_epoch(model)  # that of an earlier call
        self._callbacks.on_train_begin()
        first = keras_private.take_initial_epoch(model)
        if states is not None:
            # A backup is older than the checkpoint from which the run goes on.
            variables.restore(self._engine.variables(), members or {})
            callback_state.set_states(self._config.callbacks, *states)
        elif first:
            record.initial = self._config.begin(first)
            self._window = record.window(self._loop.n)

    def _epoch(self) -> int:
        """Return how many intervals of this call of fit have ended, those that it leaves out included."""
        return self._config.count_intervals(self._position - self._record.first_position)

    def _run_epochs(self, epoch: int) -> dict[str, float] | None:
        """Train from the start of an epoch, or from where it was interrupted, to its end or further."""
        callbacks, logs = self._callbacks, None
        with self._clock.section("callbacks"):
            if self._between_epochs:
                self._loop.step.metrics.reset()
            callbacks.on_epoch_begin(epoch)
            if self._between_epochs and self._config.callbacks:
                # A callback may have evaluated the model, or trained it, with the same metrics.
                self._loop.step.metrics.reset()
        config, start = self._config, self._record.first_position
        count = min(SEGMENTS, config.intervals - epoch) if self._several_epochs else 1
        stops = np.array([start + config.stop(epoch + i) for i in range(count)], np.int64)
        ended, stopped = 0, False
        while not ended and not stopped and not self._done(stops=False):
            # Keras looks at stop_training after each batch.
            stopped = self._model.stop_training
            ended, rows, _ = self._call(stops, steps=1 if stopped else None)
            stopped |= self._model.stop_training
            for position in range(ended):
                if position:
                    callbacks.on_epoch_begin(epoch + position)
                logs = self._end_epoch(epoch + position, rows[position])
        return logs

    def _call(self, stops: np.ndarray, steps: int | None = None) -> LoopResult:
        """Call the compiled loop once, for a number of steps or as many as it can do before it must return."""
        self._check_compilation()
        before, seconds = self._counts["steps"], self._clock.training
        limit = before + (self._hook_steps if self._every_batch else steps or self._call_steps())
        if self._every_batch:
            self._callbacks.on_train_batch_begin(before - self._record.epoch_start)
        with self._clock.section("training"), selector_errors(self._loop.selector):
            result = self._config.feed.run(self._loop, self._window, stops, limit)
        *counts, self._position, status = map(int, result.counters)
        raise_for_status(self._loop, status)
        if self._loop.trace_count() > 1:
            raise RuntimeError("the training loop was traced twice; please report this as a bug.")
        self._between_epochs = result.ended == len(stops)  # else in the middle of one, maybe after several others
        if self._between_epochs:
            self._loop.show_metrics()
        self._counts = dict(zip(COUNTS, counts, strict=True))
        self._record.pending = result.logs[: result.ended].tolist()
        self._engine.measure_steps(self._clock.training - seconds, self._counts["steps"] - before)
        batch = None if self._batches is None else last_batch(self._loop)
        if self._batches is not None and batch is not None:
            self._batches.append(batch)
        self._end_batch(result)
        if self._batches and self._clear_batches:
            self._batches.clear()
        return result

    def _check_compilation(self) -> None:
        if not self._engine.compile_unchanged:
            raise UserError(
                "a callback compiled the model again while it was trained, which would have no effect on the training"
                " under way. Call fit() once for each way in which the model is compiled, with fewer epochs each."
            )

    def _call_steps(self) -> int:
        """Return the number of steps after which a call returns in time."""
        seconds = _RESPONSE
        if self._config.seconds is not None:
            seconds = min(seconds, max(self._config.seconds - self._clock.training, 0))
        return max(1, int(seconds / max(self._engine.step_seconds, 1e-7)))

    def _end_batch(self, result: LoopResult) -> None:
        """Call the batch hooks: for each batch if any callback needs that, else for the last of the call."""
        if not (self._every_batch or self._batch_hooks):
            return
        with self._clock.section("callbacks"):
            row = result.logs[result.ended - 1] if result.ended else self._loop.log_row().numpy()
            batch = self._counts["steps"] - self._record.epoch_start - 1
            if result.ended > 1:  # a call that ended several epochs, of which the first is shown now
                batch = min(batch, int(self._callbacks.params["steps"]) - 1)
            if self._every_batch:  # Keras numbers those of an execution in full, also where the data end before
                batch += -(batch + 1) % self._hook_steps
            self._callbacks.on_train_batch_end(batch, self._logs_by_name(row))

    def _logs_by_name(self, row: np.ndarray) -> dict[str, float]:
        logs = dict(zip(self._loop.log_names, map(float, row), strict=True))
        if not self._scheduled:
            logs.pop("learning_rate")
        return logs

    def _end_epoch(self, epoch: int, row: np.ndarray) -> dict[str, float]:
        """Evaluate, call the epoch hooks, record, save."""
        logs = self._logs_by_name(row)
        data = self._validation if self._config.is_validated(epoch) else None
        results = None if data is None else self._evaluate(data)
        if results is not None:
            logs |= {f"val_{name}": value for name, value in results.items()}
        with self._clock.section("callbacks"):
            varying = varying_values(self._engine) if self._config.callbacks else {}
            self._history.others = {name: value for name, value in varying.items() if name not in logs}
            self._callbacks.on_epoch_end(epoch, logs | self._history.others)
        if self._batches:
            self._batches.clear()
        if results is not None:
            self._record_evaluation(results)
        self._record.pending = self._record.pending[1:]
        self._record.epoch_start = self._counts["steps"]
        if self._config.checkpoint is not None:
            self._save(self._config.checkpoint)
        return logs

    def _evaluate(self, data: Samples) -> dict[str, float]:
        with self._clock.section("evaluation"):
            self._callbacks.on_test_begin()
            results = self._evaluate_in_batches(data) if self._test_hooks else self._engine.evaluation.evaluate(data)
            check_evaluation(self._loop, results)
            self._callbacks.on_test_end(results)
        return results

    def _evaluate_in_batches(self, data: Samples) -> dict[str, float]:
        model: Any = self._model
        model.stop_evaluating = False

        def end(batch: int, logs: dict[str, float]) -> bool:
            self._callbacks.on_test_batch_end(batch, logs)
            return bool(model.stop_evaluating)

        engine = self._engine
        rows = engine.builder.fixed_batch or self._config.validation_batch_size or engine.batch_size
        execution = max(int(model.steps_per_execution), 1)
        return engine.evaluation.in_batches(data, rows, self._callbacks.on_test_batch_begin, end, execution)

    def _record_evaluation(self, results: dict[str, float]) -> None:
        """Record an evaluation, and keep the weights of the first that meets the target and holds it."""
        record, target = self._record, self._config.target
        if target is not None and target.is_met_by(results) and not self._target_reached():
            last = record.evaluations[-1] if record.evaluations else None
            if last is None or not target.is_met_by(last):
                record.weights_at_target = self._model.get_weights()
        record.evaluations.append(self._counts | {"seconds": self._clock.training} | results)

    def _done(self, stops: bool = True) -> bool:
        """Return whether training ends here.

        Args:
            stops: Whether a callback that stops training counts.
        """
        self._raise_if_interrupted()
        config = self._config
        if config.seconds is not None and self._clock.training >= config.seconds:
            return True
        if config.stop_at_target and self._target_reached():
            return True
        return stops and bool(self._model.stop_training)

    def _target_reached(self) -> bool:
        """Return whether the target was met often enough in a row."""
        target = self._config.target
        if target is None:
            return False
        met = [target.is_met_by(results) for results in self._record.evaluations]
        return first_reached(met, self._config.hold) is not None

    def _raise_if_interrupted(self) -> None:
        if self._signals.received:
            if self._config.checkpoint is not None:
                self._save(self._config.checkpoint)
            self._signals.handle_received()
