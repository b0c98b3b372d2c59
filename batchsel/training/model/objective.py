"""The loss of a compiled Keras model, in total and for each sample."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.label_smoothing import smoothed_crossentropy
from batchsel.errors import UserError, reason_of
from batchsel.training.model.model_checks import check_model, find_override
from batchsel.training.model.per_sample_loss import NoSampleLossError, PerSampleLoss, ReducedLoss
from batchsel.transforms.augmentation import Mixture

_KINDS = {
    keras.losses.sparse_categorical_crossentropy: "sparse",
    smoothed_crossentropy: "sparse",
    keras.losses.categorical_crossentropy: "categorical",
    keras.losses.binary_crossentropy: "binary",
}


def loss_kind(loss: keras.losses.Loss) -> tuple[str, bool]:
    """Return the form of the targets of a compiled loss.

    Returns:
        "sparse" (class ids), "categorical" (one-hot), "binary" or "other"; and whether outputs are logits.

    Example:
        >>> loss_kind(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        ('sparse', True)
    """
    kind = _KINDS.get(getattr(loss, "fn", None), "other")
    return kind, bool(keras_private.get_loss_options(loss).get("from_logits", False))


class _ValueRecorder:
    """Stand-in for a metric that keeps the last value it was updated with."""

    value: Any = None

    def update_state(self, value: tf.Tensor, sample_weight: Any = None) -> None:
        self.value = value


class _TargetRecorder:
    """Stand-in for a loss that keeps the targets it was called with."""

    target: Any = None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        self.target = y_true
        return 0.0


class _Losses:
    """Keras's container of compiled losses twice: as the loss of each sample, and as the loss to be minimized.

    Args:
        container: Keras's container, built.
        losses: The losses to use in place of its own.
    """

    def __init__(self, container: Any, losses: list[keras.losses.Loss]) -> None:
        self.by_sample = [PerSampleLoss(loss) for loss in losses]
        self._reduced = [ReducedLoss(loss) for loss in self.by_sample]
        ignored = [_ValueRecorder() for _ in losses]
        self.recorders = [_ValueRecorder() for _ in losses]
        """They receive the values with which Keras would update its running mean of each output."""
        self.samples = keras_private.copy_compiled_loss(container, self.by_sample, ignored)
        self._reduce = keras_private.copy_compiled_loss(container, self._reduced, self.recorders)

    def reduce(
        self, y: Any, y_pred: Any, sample_weight: Any, factors: tf.Tensor | None, scales: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Return the loss as Keras reduces it, after a call of `samples` with the same targets and outputs."""
        for number, loss in enumerate(self._reduced):
            loss.factors = factors
            loss.scale = None if scales is None else scales[number]
        return self._reduce(y, y_pred, sample_weight)


class Objective:
    """The loss that a compiled model minimizes, and its value for each sample.

    Args:
        model: A compiled Keras model.

    Raises:
        UserError: If the model is not compiled.
        NoSampleLossError: If it overrides how Keras trains.
    """

    def __init__(self, model: keras.Model) -> None:
        check_model(model)
        override = find_override(model)
        if override is not None:
            raise NoSampleLossError(override, "Compile the model with a loss instead.")
        self._model = model
        self._compiled: _Losses | None = None
        self._unsmoothed: _Losses | None = None
        self._evaluation: _Losses | None = None
        self._history: _Losses | None = None
        self._last: _Losses | None = None
        self._structure: Any = None
        self.output_losses: list[keras.losses.Loss] = []
        """The compiled losses, one for each output that has one; filled by the first call of `losses`."""
        self.output_paths: list[tuple[Any, ...]] = []
        """The keys that lead to each of these outputs in the model's."""

    def build(self, y: Any, y_pred: Any) -> None:
        """Match the losses to targets and outputs, by computing them once.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.

        Raises:
            UserError: If Keras cannot match them, or a loss cannot be computed from them.
            NoSampleLossError: If a loss has no value for each sample.
        """
        try:
            self.losses(y, y_pred)
        except UserError:
            raise
        except (KeyError, IndexError, TypeError, ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"the loss cannot be computed from these targets and outputs: {reason_of(error)}"
            ) from error

    @property
    def by_sample(self) -> list[PerSampleLoss]:
        """The losses of each sample, in the order of `output_losses`."""
        return [] if self._compiled is None else self._compiled.by_sample

    def losses(self, y: Any, y_pred: Any, sample_weight: Any = None, mixture: Mixture | None = None) -> tf.Tensor:
        """Return the loss of each sample; with several outputs, the sum weighted as compiled.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            sample_weight: As in `total`. Weights of steps weigh the mean over them; weights of samples have no effect.
            mixture: The two samples that each row mixes, or None; the loss is then the mean for both targets.

        Returns:
            ``float32[b]``.
        """
        losses = self._build(y, y_pred)
        return self._by_sample(losses, y, y_pred, sample_weight, mixture)

    def total(
        self,
        y: Any,
        y_pred: Any,
        sample_weight: Any = None,
        factors: tf.Tensor | None = None,
        mixture: Mixture | None = None,
        scales: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Return the loss that is minimized, as Keras reduces it, after a call of `losses` for the same batch.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            sample_weight: ``float32[b]``, weights of steps, or one of these for each output, or None.
            factors: ``float32[b]`` more factors of the losses, or None.
            mixture: As in `losses`.
            scales: ``float32[losses]`` factor of the loss of each output, or None.

        Returns:
            ``float[]``, or ``float[b]`` if the compiled loss has the reduction "none".
        """
        return self._total(self._build(y, y_pred), y, y_pred, sample_weight, factors, mixture, scales)

    def reported_total(
        self,
        y: Any,
        y_pred: Any,
        sample_weight: Any = None,
        factors: tf.Tensor | None = None,
        mixture: Mixture | None = None,
        scales: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Return the loss that the history of training reports: without smoothing that applies to training only.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            sample_weight: As in `total`.
            factors: As in `total`.
            mixture: As in `losses`.
            scales: As in `total`.

        Returns:
            As `total`.
        """
        losses = self._build(y, y_pred)
        history: Any = self._history
        if history is not losses and mixture is None:
            history.samples(y, y_pred, sample_weight)
        return self._total(history, y, y_pred, sample_weight, factors, mixture, scales)

    def unsmoothed_losses(
        self, y: Any, y_pred: Any, losses: tf.Tensor, sample_weight: Any = None, mixture: Mixture | None = None
    ) -> tf.Tensor:
        """Return the losses without label smoothing, which would give the most certain samples high losses.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            losses: From `losses`, for the same batch.
            sample_weight: As in `losses`.
            mixture: As in `losses`.

        Returns:
            ``float32[b]``; `losses` itself if labels are not smoothed.
        """
        if self._unsmoothed is None:
            return losses
        return self._by_sample(self._unsmoothed, y, y_pred, sample_weight, mixture)

    def evaluation_total(self, y: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        """Return the loss of a batch for evaluation, without smoothing that applies to training only.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            sample_weight: As in `total`.

        Returns:
            As `total`.
        """
        self._build(y, y_pred)
        losses: Any = self._evaluation
        self._by_sample(losses, y, y_pred, sample_weight, None)
        return losses.reduce(y, y_pred, sample_weight, None)

    def element_losses(self) -> tuple[tf.Tensor, tf.Tensor | None] | None:
        """Return the losses of all steps in the last call of another method, and the mask of steps that count.

        Returns:
            ``float[b, ...]``, and ``bool[b, ...]`` or None; None if there are several outputs or mixed samples.
        """
        last = self._last
        if last is None or len(last.by_sample) != 1:
            return None
        loss: Any = last.by_sample[0]
        return loss.values, loss.mask

    @property
    def averages_batches(self) -> bool:
        """True if the mean over a batch was not one over its samples in the last call of `losses`, because of masks, an
        ignored class, or the reduction.
        """
        plain = ("sum_over_batch_size", "mean")
        return any(loss.mask is not None or loss.loss.reduction not in plain for loss in self.by_sample)

    def divisors(self, rows: tf.Tensor | None = None) -> tf.Tensor:
        """Return what Keras divides the sum of each loss by, after a call of `losses`, ``float32[losses]``.

        Args:
            rows: As for `PerSampleLoss.divisor`.
        """
        return tf.stack([loss.divisor(rows) for loss in self.by_sample])

    def regularization_loss(self) -> tf.Tensor:
        """Return the sum of regularizers and other losses that layers added in the last forward pass, ``float[]``."""
        extras = [tf.cast(tf.reduce_sum(loss), keras.config.floatx()) for loss in self._model.losses]
        return tf.add_n(extras) if extras else tf.zeros([], keras.config.floatx())

    def update_loss_metrics(self, evaluation: bool = False) -> None:
        """Update Keras's running mean of the loss of each output, after a call of `reported_total`.

        Keras does not know the size of a batch where the last one is short, and counts each batch once.

        Args:
            evaluation: Whether the call was one of `evaluation_total`.
        """
        losses: Any = self._evaluation if evaluation else self._history
        metrics = keras_private.get_compiled_loss(self._model).metrics
        for metric, recorder in zip(metrics, losses.recorders, strict=False):
            if recorder.value is not None:
                metric.update_state(recorder.value)

    def targets(self, y: Any) -> list[Any]:
        """Return the targets that belong to each of `output_losses`, as Keras assigns them.

        Args:
            y: Targets as passed by the user.
        """
        container = keras_private.get_compiled_loss(self._model)
        recorders: list[Any] = [_TargetRecorder() for _ in self.output_losses]
        ignored: list[Any] = [_ValueRecorder() for _ in recorders]
        keras_private.copy_compiled_loss(container, recorders, ignored)(y, self._structure)
        return [recorder.target for recorder in recorders]

    def _total(
        self,
        losses: _Losses,
        y: Any,
        y_pred: Any,
        sample_weight: Any,
        factors: tf.Tensor | None,
        mixture: Mixture | None,
        scales: tf.Tensor | None,
    ) -> tf.Tensor:
        if mixture is None:
            return losses.reduce(y, y_pred, sample_weight, factors, scales)
        totals, values = [], []
        for targets in (y, mixture.gather_partners(y)):
            losses.samples(targets, y_pred, sample_weight)
            totals.append(losses.reduce(targets, y_pred, sample_weight, factors))
            values.append([recorder.value for recorder in losses.recorders])
        for recorder, own, other in zip(losses.recorders, *values, strict=True):
            recorder.value = None if own is None else mixture.weighted_mean(own, other)
        return mixture.weighted_mean(*totals)

    def _by_sample(
        self, losses: _Losses, y: Any, y_pred: Any, sample_weight: Any, mixture: Mixture | None
    ) -> tf.Tensor:
        own = tf.cast(losses.samples(y, y_pred, sample_weight), tf.float32)
        self._last = losses if mixture is None else None
        if mixture is None:
            return own
        others = losses.samples(mixture.gather_partners(y), y_pred, sample_weight)
        return mixture.weighted_mean(own, tf.cast(others, tf.float32))

    def _build(self, y: Any, y_pred: Any) -> _Losses:
        """Copy Keras's loss container, with losses that keep the batch axis."""
        if self._compiled is not None:
            return self._compiled
        container = keras_private.get_compiled_loss(self._model)
        if not container.built:
            # Called rather than built, because only then does Keras match the targets to the outputs.
            container(y, y_pred)
        self._structure = tf.nest.map_structure(lambda leaf: np.zeros([1], np.float32), y_pred)
        self.output_losses = losses = keras_private.list_losses(container)
        self.output_paths = keras_private.list_loss_paths(container)
        self._compiled = self._evaluation = self._history = _Losses(container, losses)
        if any(map(_get_smoothing, losses)):
            self._unsmoothed = _Losses(container, list(map(_remove_smoothing, losses)))
            self._evaluation = self._without_smoothing(losses, "plain_in_evaluation")
            self._history = self._without_smoothing(losses, "plain_in_history")
        return self._compiled

    def _without_smoothing(self, losses: list[keras.losses.Loss], name: str) -> _Losses | None:
        """Return a copy of the losses without the smoothing of those that have an attribute; the losses if none has."""
        if not any(getattr(loss, name, False) for loss in losses):
            return self._compiled
        plain = [_remove_smoothing(loss) if getattr(loss, name, False) else loss for loss in losses]
        return _Losses(keras_private.get_compiled_loss(self._model), plain)


def _get_smoothing(loss: keras.losses.Loss) -> float:
    return keras_private.get_loss_options(loss).get("label_smoothing", 0.0)


def _remove_smoothing(loss: keras.losses.Loss) -> keras.losses.Loss:
    return keras_private.replace_loss_options(loss, label_smoothing=0.0) if _get_smoothing(loss) else loss
