"""One call of fit: segments between evaluations, callbacks, the target, checkpoints, interruption."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from batchsel.core.target import first_reached
from batchsel.core.timestamp import longest_passes
from batchsel.training.auxiliary import AuxiliaryModels
from batchsel.training.fit import callback_utils
from batchsel.training.fit.fit_config import FitConfig
from batchsel.training.fit.fit_record import FitRecord
from batchsel.training.fit.sigint import Interruption
from batchsel.training.loop import errors
from batchsel.training.loop.data_feed import LoopResult
from batchsel.training.loop.evaluation import to_tensors
from batchsel.training.loop.loop_state import COUNTS, SEGMENTS, BudgetWindow

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer

_RESPONSE = 0.5
"""Seconds after which a call returns to Python, for progress and Ctrl-C."""


class FitLoop:
    """Carries out a request.

    Args:
        trainer: Holds the model and all state.
        config: What is to be done.
    """

    def __init__(self, trainer: Trainer, config: FitConfig) -> None:
        self._trainer = trainer
        self._request = config
        self._model = trainer.model
        self._loop = trainer.prepare(config.feed)
        if trainer.schedule is not None:
            callback_utils.refuse_other_schedules(config.callbacks)
        self._begin()
        self._progress = trainer.progress
        start, budget = self._progress.fit_start, max(config.budget, 1)
        self._progress.fit_budget = budget
        self._span = BudgetWindow.of(start, budget, self._loop.n)
        self._warn_of_long_durations()
        names = [name for name in self._loop.log_names if name != "learning_rate"]
        if config.target is not None:
            config.target.check(names)
        if config.validation is not None:
            trainer.engine.check_labels(config.validation)
        self._validation = None if config.validation is None else to_tensors(*config.validation)
        self._interruption = Interruption()

    def _warn_of_long_durations(self) -> None:
        trainer, passes = self._trainer, self._request.epochs
        asked = [part for part in (trainer.schedule, trainer.curricula, trainer.growth) if part is not None]
        longest = longest_passes(part for one in asked for part in getattr(one, "parts", [one]))
        if longest > passes > 0:
            warnings.warn(
                f"{' and '.join(map(repr, asked))}: something lasts {longest:g} passes, and the budget ends after"
                f" {passes:g}. Give durations as shares of the budget, or train longer.",
                stacklevel=4,
            )

    def _begin(self) -> None:
        trainer = self._trainer
        if trainer.resumed:
            trainer.resumed = False
            return
        self._loop.clear_error()
        self._loop.begin_fit()
        self._loop.step.metrics.reset()
        counts = trainer.counts
        trainer.progress = FitRecord(fit_start=counts["samples"], epoch_start=counts["steps"])
        self._loop.step.lr_controller.capture_base_rate()
        trainer.clock.reset()

    def run(self) -> keras.callbacks.History:
        """Trains until the budget is used up, the target is held, or a callback says stop.

        Returns:
            The history.

        Raises:
            TrainingError: If the loss is not finite, or the selector's plan makes no sense.
            KeyboardInterrupt: After Ctrl-C, once the call under way has returned and, if there is a
                checkpoint file, all is saved.
        """
        history = keras.callbacks.History()
        history.history = self._progress.history
        callbacks = callback_utils.callback_list(self._request, self._trainer, history)
        self._exact = callback_utils.wants_every_batch(self._request.callbacks)
        self._attended = callback_utils.wants_batches(callbacks)
        self._whole = callback_utils.wants_no_epochs(self._request)
        with self._trainer.clock.section("tracing"):
            self._trainer.engine.warm_up(self._request.feed, self._span, self._validation)
        self._prepare()
        with self._interruption:
            try:
                self._train(callbacks)
            finally:
                self._loop.step.lr_controller.restore_base_rate()
        return history

    def _prepare(self) -> None:
        """Lets a selector that compares with other models train them."""
        trainer, state = self._trainer, self._loop.state.state
        if trainer.selector.prepares:
            trainer.reference = trainer.reference or AuxiliaryModels(trainer)
            known = tf.nest.map_structure(lambda variable: variable.read_value(), state)
            found = trainer.selector.prepare(known, trainer.reference.learner(self._request.feed), trainer.seed)
            tf.nest.map_structure(lambda variable, value: variable.assign(value), state, found)

    def _train(self, callbacks: keras.callbacks.CallbackList) -> None:
        progress, model = self._progress, self._model
        model.stop_training = False
        callbacks.on_train_begin()
        self._counts = self._trainer.counts
        self._callbacks, logs = callbacks, {}
        for row in list(progress.pending):
            # An interval had ended when the checkpoint was written, but not what is due at its end.
            epoch = self._epoch() - len(progress.pending)
            callbacks.on_epoch_begin(epoch)
            logs = self._end_epoch(epoch, np.array(row, np.float32))
        while (epoch := self._epoch()) < self._request.intervals and not self._done():
            logs = self._segments(epoch) or logs
        self._stop_if_interrupted()
        if model.stop_training and self._counts["steps"] > progress.epoch_start:
            # A callback stopped it in the middle of an interval, which ends here as it does in Keras.
            row = self._loop.log_row().numpy()
            self._loop.step.metrics.reset()
            logs = self._end_epoch(self._epoch(), row)
        if len(progress.history):
            model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(logs)

    def _epoch(self) -> int:
        """How many intervals of this call of fit have ended."""
        return self._request.ended(self._counts["samples"] - self._progress.fit_start)

    def _segments(self, epoch: int) -> dict[str, float] | None:
        """Trains from the start of an epoch, or from where it was interrupted, to its end or further."""
        callbacks, logs = self._callbacks, None
        with self._trainer.clock.section("callbacks"):
            callbacks.on_epoch_begin(epoch)
        config, start = self._request, self._progress.fit_start
        count = min(SEGMENTS, config.intervals - epoch) if self._whole else 1
        stops = np.array([start + config.stop(epoch + i) for i in range(count)], np.int64)
        ended = 0
        while not ended and not self._done():
            ended, rows, _ = self._call(stops)
            for position in range(ended):
                if position:
                    callbacks.on_epoch_begin(epoch + position)
                logs = self._end_epoch(epoch + position, rows[position])
        return logs

    def _call(self, stops: np.ndarray) -> LoopResult:
        trainer, feed = self._trainer, self._request.feed
        before = self._counts["steps"]
        limit = before + (1 if self._exact else self._call_steps())
        if self._exact:
            self._callbacks.on_train_batch_begin(before - self._progress.epoch_start)
        seconds = trainer.clock.training
        with trainer.clock.section("training"):
            outcome = feed.run(self._loop, self._span, stops, limit)
        *counts, fault = map(int, outcome.counters)
        errors.check(self._loop, fault)
        if feed.trace_count(self._loop) > 1:
            raise RuntimeError("the training loop was traced twice; please report this as a bug.")
        self._counts = dict(zip(COUNTS, counts, strict=True))
        self._progress.pending = outcome.logs[: outcome.ended].tolist()
        trainer.engine.step_seconds = (trainer.clock.training - seconds) / max(self._counts["steps"] - before, 1)
        self._batch_end(outcome)
        return outcome

    def _call_steps(self) -> int:
        seconds = _RESPONSE
        if self._request.seconds is not None:
            seconds = min(seconds, max(self._request.seconds - self._trainer.clock.training, 0))
        return max(1, int(seconds / max(self._trainer.engine.step_seconds, 1e-7)))

    def _batch_end(self, outcome: LoopResult) -> None:
        """Tells callbacks about batches: each one if any wants that, else the last of the call."""
        if not (self._exact or self._attended):
            return
        with self._trainer.clock.section("callbacks"):
            row = outcome.logs[outcome.ended - 1] if outcome.ended else self._loop.log_row().numpy()
            batch = self._counts["steps"] - self._progress.epoch_start - 1
            self._callbacks.on_train_batch_end(batch, self._named(row))

    def _named(self, row: np.ndarray) -> dict[str, float]:
        logs = dict(zip(self._loop.log_names, map(float, row), strict=True))
        if self._trainer.schedule is None:
            logs.pop("learning_rate")
        return logs

    def _end_epoch(self, epoch: int, row: np.ndarray) -> dict[str, float]:
        trainer = self._trainer
        logs = self._named(row)
        results = logs
        if self._validation is not None:
            with trainer.clock.section("evaluation"):
                self._callbacks.on_test_begin()
                results = trainer.engine.evaluation(self._validation)
                errors.check_evaluation(self._loop, results)
                self._callbacks.on_test_end(results)
            logs |= {f"val_{name}": value for name, value in results.items()}
        with trainer.clock.section("callbacks"):
            self._callbacks.on_epoch_end(epoch, logs)
        if self._validation is not None:
            self._note(results)
        self._progress.pending = self._progress.pending[1:]
        self._progress.epoch_start = self._counts["steps"]
        if self._request.checkpoint is not None:
            trainer.save(self._request.checkpoint)
        return logs

    def _note(self, results: dict[str, float]) -> None:
        """Records an evaluation, and keeps the weights of the first that meets the target and holds it."""
        progress, target = self._progress, self._request.target
        if target is not None and target.met(results) and not self._reached():
            last = progress.evaluations[-1] if progress.evaluations else None
            if last is None or not target.met(last):
                progress.weights_at_target = self._model.get_weights()
        progress.evaluations.append({**self._counts, "seconds": self._trainer.clock.training, **results})

    def _done(self) -> bool:
        self._stop_if_interrupted()
        config, trainer = self._request, self._trainer
        if config.seconds is not None and trainer.clock.training >= config.seconds:
            return True
        if not config.run_on and self._reached():
            return True
        return bool(self._model.stop_training)

    def _reached(self) -> bool:
        """Whether the target was met as often in a row as asked for."""
        target = self._request.target
        if target is None:
            return False
        met = [target.met(results) for results in self._progress.evaluations]
        return first_reached(met, self._request.hold) is not None

    def _stop_if_interrupted(self) -> None:
        if self._interruption.asked:
            if self._request.checkpoint is not None:
                self._trainer.save(self._request.checkpoint)
            raise KeyboardInterrupt
