"""Private parts of Keras's models, layers, losses and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

# Compiled models.


def get_compiled_loss(model: keras.Model) -> Any:
    """Return the container of a model's losses, `Model._compile_loss`.

    `Model.compute_loss` returns the reduced loss only; losses of single samples are needed here.

    Args:
        model: A compiled model.
    """
    return model._compile_loss


def get_compiled_metrics(model: keras.Model) -> Any:
    """Return the container of a model's metrics, `Model._compile_metrics`; None if it has none.

    `Model.compute_metrics` also computes all results, in each batch.

    Args:
        model: A compiled model.
    """
    return model._compile_metrics


def get_loss_tracker(model: keras.Model) -> keras.metrics.Metric:
    """Return the running mean of a model's loss, `Model._loss_tracker`.

    `Model.metrics` lists it among others, in an undocumented order.

    Args:
        model: A compiled model.
    """
    return model._loss_tracker


def get_loss_weights(model: keras.Model) -> Any:
    """Return the `loss_weights` that a model was compiled with, `CompileLoss._user_loss_weights`.

    `Model.get_compile_config` would serialize losses and metrics too, and user code may not allow that.

    Args:
        model: A compiled model.
    """
    return model._compile_loss._user_loss_weights


def take_initial_epoch(model: keras.Model) -> int:
    """Return the epoch at which a callback lets training begin, `Model._initial_epoch`, and forget it.

    `BackupAndRestore` sets it in `on_train_begin` and has no other way; Keras keeps it for all later calls of fit.

    Args:
        model: A model.
    """
    epoch, model._initial_epoch = getattr(model, "_initial_epoch", None), None
    return epoch or 0


# The containers of losses and metrics.


def list_losses(container: Any) -> list[keras.losses.Loss]:
    """Return the losses of a built container, one for each output that has one, `CompileLoss._flat_losses`.

    `Model.loss` holds them as the user wrote them: names, functions, nested.

    Args:
        container: From `get_compiled_loss`.
    """
    return [entry.loss for entry in container._flat_losses]


def list_loss_paths(container: Any) -> list[tuple[Any, ...]]:
    """Return the keys that lead to the output of each loss of a built container, in the order of `list_losses`.

    Args:
        container: From `get_compiled_loss`.
    """
    return [tuple(entry.path) for entry in container._flat_losses]


def copy_compiled_loss(container: Any, losses: Iterable[keras.losses.Loss], metrics: Sequence[Any]) -> Any:
    """Return a copy of a built container with other losses: `CompileLoss._flat_losses` and `_metrics`.

    A new container would resolve the names of outputs again, and lose how the model was compiled.

    Args:
        container: From `get_compiled_loss`.
        losses: In the order of `list_losses`.
        metrics: Objects whose `update_state` is called with the value of each loss, if there are several.
    """
    clone = object.__new__(type(container))  # copy.copy() would try to save it as a model
    vars(clone).update(vars(container))
    entries = zip(container._flat_losses, losses, strict=True)
    clone._flat_losses = [entry._replace(loss=loss) for entry, loss in entries]
    clone._metrics = metrics
    return clone


def list_metrics(container: Any) -> list[tuple[list[Any], list[Any]]]:
    """Return the metrics of each output, plain and weighted: `CompileMetrics._flat_metrics`, `_flat_weighted_metrics`.

    `CompileMetrics.metrics` does not tell which output a metric belongs to.

    Args:
        container: From `get_compiled_metrics`, built.
    """
    pairs = zip(container._flat_metrics, container._flat_weighted_metrics, strict=True)
    return [(plain.metrics if plain else [], weighted.metrics if weighted else []) for plain, weighted in pairs]


def flatten_outputs(container: Any, values: Any) -> list[Any]:
    """Return the targets or outputs of a model in the order of `list_metrics`, `CompileMetrics._flatten_y`.

    `keras.tree.flatten` sorts a dictionary by key, not by the order of the outputs.

    Args:
        container: From `get_compiled_metrics`, built.
        values: One tensor, or a list or dictionary of them.
    """
    return container._flatten_y(values)


def averages_rows(metric: keras.metrics.Metric, rank: int) -> bool:
    """Return whether a metric is one of Keras's own that leave out rows with the weight 0.

    The function of a `MeanMetricWrapper`, `_fn`, may be a user's, and the weights be lost on it.

    Args:
        metric: Any metric.
        rank: Rank of the outputs, 1 if there is one number for each row; metrics that count take one weight for each
            row only then.
    """
    if not sums_rows(metric):
        return False
    by_row = keras.metrics.FBetaScore | keras.metrics.R2Score
    return rank == 1 or isinstance(metric, keras.metrics.Mean) or (rank == 2 and isinstance(metric, by_row))


def sums_rows(metric: keras.metrics.Metric) -> bool:
    """Return whether a metric is one of Keras's own, whose results do not depend on how rows are divided into batches.

    The function of a `MeanMetricWrapper`, `_fn`, may be a user's, and return one number for a batch.

    Args:
        metric: Any metric.
    """
    function = getattr(metric, "_fn", None)
    own = function is None or getattr(function, "__module__", "").startswith("keras.src.")
    return own and (type(metric).__module__.startswith("keras.src.metrics.") or hasattr(metric, "lend_losses"))


# Losses and masks.


def get_loss_options(loss: keras.losses.Loss) -> dict[str, Any]:
    """Return the arguments that a loss passes to its function, `LossFunctionWrapper._fn_kwargs`; empty without any.

    `Loss.get_config` cannot be relied on for losses that users define.

    Args:
        loss: Any loss.
    """
    return getattr(loss, "_fn_kwargs", {})


def replace_loss_options(loss: keras.losses.Loss, **options: Any) -> keras.losses.Loss:
    """Return a copy of a loss that passes other arguments to its function, `LossFunctionWrapper._fn_kwargs`.

    Args:
        loss: A loss that wraps a function.
        **options: The arguments to change.
    """
    copy = object.__new__(type(loss))
    vars(copy).update(vars(loss), _fn_kwargs={**get_loss_options(loss), **options})
    return copy


def get_mask(tensor: Any) -> tf.Tensor | None:
    """Return the mask that a Keras layer attached to its output, `_keras_mask`; None without one.

    `Layer.compute_mask` would run the layers again.

    Args:
        tensor: A tensor.
    """
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Attach a mask to a tensor as a Keras layer does, `_keras_mask`, and return the tensor.

    Args:
        tensor: A tensor.
        mask: Its mask, or None.
    """
    if mask is not None:
        vars(tensor)["_keras_mask"] = mask
    return tensor


# Models.


def is_trainer(model: Any) -> bool:
    """Return whether a layer trains as `keras.Model` does: whether it is a `keras.src.trainers.trainer.Trainer`.

    That class has no public name.

    Args:
        model: Anything.
    """
    trainer = next(base for base in keras.Model.__mro__ if base.__module__ == "keras.src.trainers.trainer")
    return isinstance(model, keras.Layer) and isinstance(model, trainer)


def call_model(model: keras.Model, x: Any, training: bool) -> Any:
    """Return the outputs of a model as its trainer computes them, `Layer._call_has_training_arg`.

    Only a `keras.Model` drops an argument that its `call` does not take.

    Args:
        model: A model.
        x: Inputs, first axis b.
        training: Passed on if `call` takes it.
    """
    return model(x, training=training) if model._call_has_training_arg else model(x)


def overrides(model: keras.Model, method: str) -> bool:
    """Return whether a model's class, or one that it extends, overrides a method of Keras's trainers.

    A layer that mixes in a `Trainer` does not extend `keras.Model`.

    Args:
        model: A model.
        method: The name, such as "test_step".
    """
    owner = next(base for base in type(model).__mro__ if method in vars(base))
    return owner not in keras.Model.__mro__


# Layers and graphs.


def list_layers(layer: keras.Layer, include_self: bool = True) -> list[keras.Layer]:
    """Return a layer and all layers within it at any depth, `Layer._flatten_layers`.

    `Model.layers` does not enter composite layers.

    Args:
        layer: A layer or a model.
        include_self: List `layer` itself too.
    """
    return list(layer._flatten_layers(include_self=include_self, recursive=True))


@contextmanager
def compute_in(model: keras.Model, dtype: str | None) -> Iterator[None]:
    """Let a model compute in another precision while it is traced; its variables stay as they are.

    Layers read their policy whenever they are called. To set `Layer.dtype_policy` may convert a layer for good, so
    `Layer._dtype_policy` is set.

    Args:
        model: A built model.
        dtype: "bfloat16", "float16" or "float32"; None for no change.
    """
    if dtype is None:
        yield
        return
    layers = list_layers(model)
    kept = [layer._dtype_policy for layer in layers]
    policy = keras.DTypePolicy(dtype if dtype == "float32" else f"mixed_{dtype}")
    try:
        for layer in layers:
            layer._dtype_policy = policy
        yield
    finally:
        for layer, own in zip(layers, kept, strict=True):
            layer._dtype_policy = own


def list_nodes(model: keras.Model) -> list[Any] | None:
    """Return the nodes of a functional model from inputs to outputs, `Function._nodes_by_depth`; None without a graph.

    `Model.layers` does not tell which layer feeds which. A Sequential model hides its graph, and counts as a model
    without one.

    Args:
        model: A built model.
    """
    by_depth = getattr(model, "_nodes_by_depth", None)
    if by_depth is None:
        return None
    # Keras counts depths from the outputs.
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
