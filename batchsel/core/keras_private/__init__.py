"""Adapter to the private parts of Keras: no module outside of this folder touches them.

Each function names the private attribute it uses, and why there is no public way.
`tests/core/test_keras_private.py` names the version of Keras that all were checked with.
"""

from batchsel.core.keras_private.callbacks import profiles_batches
from batchsel.core.keras_private.models import (
    averages_rows,
    call_model,
    compute_in,
    copy_compiled_loss,
    flatten_outputs,
    get_compiled_loss,
    get_compiled_metrics,
    get_loss_options,
    get_loss_tracker,
    get_loss_weights,
    get_mask,
    is_trainer,
    list_layers,
    list_loss_paths,
    list_losses,
    list_metrics,
    list_nodes,
    overrides,
    replace_loss_options,
    set_mask,
    sums_rows,
    take_initial_epoch,
)
from batchsel.core.keras_private.optimizers import (
    GradientTransform,
    get_adam_moments,
    get_learning_rate_setting,
    get_variable_key,
    keep_gradients,
    override_learning_rates,
    override_momentum,
    update_replicas,
)
from batchsel.core.keras_private.seeds import draw_seeds_from

__all__ = [
    "GradientTransform",
    "averages_rows",
    "call_model",
    "compute_in",
    "copy_compiled_loss",
    "draw_seeds_from",
    "flatten_outputs",
    "get_adam_moments",
    "get_compiled_loss",
    "get_compiled_metrics",
    "get_learning_rate_setting",
    "get_loss_options",
    "get_loss_tracker",
    "get_loss_weights",
    "get_mask",
    "get_variable_key",
    "is_trainer",
    "keep_gradients",
    "list_layers",
    "list_loss_paths",
    "list_losses",
    "list_metrics",
    "list_nodes",
    "override_learning_rates",
    "override_momentum",
    "overrides",
    "profiles_batches",
    "replace_loss_options",
    "set_mask",
    "sums_rows",
    "take_initial_epoch",
    "update_replicas",
]
