"""batchsel: which samples go into each training batch, for Keras, fast and measured honestly.

Public names are imported on first use; importing batchsel does not import TensorFlow.
"""

from batchsel.core.lazy_imports import attach as _attach

_PUBLIC = {
    "__version__": "core.version",
    "GhostBatchNormalization": "models.ghost_batch_normalization",
    "SmoothedCrossentropy": "core.label_smoothing",
    "MLflow": "training.callbacks",
    "Rng": "core.rng",
    "Target": "core.target",
    "TensorBoard": "training.callbacks",
    "Trainer": "training.trainer",
    "UserError": "errors",
    "WandB": "training.callbacks",
    "augmentation": "transforms.augmentation:",
    "curricula": "transforms.curricula:",
    "data": "data:",
    "device_scope": "training.model.distributed",
    "fit": "training.fit_model",
    "models": "models:",
    "optimizers": "optimizers:",
    "records": "analysis.report.evaluation_table",
    "schedules": "schedules:",
    "selectors": "selectors:",
    "testing": "testing:",
}

_getattr, __dir__ = _attach(__name__, _PUBLIC)
_TRAINS = ("core.label_smoothing", "core.rng", "testing", "training")
"""Modules that import TensorFlow, which is then quiet."""


def __getattr__(name: str) -> object:
    """Import a public name on its first use."""
    if _PUBLIC.get(name, "").startswith(_TRAINS):
        from batchsel.core.tf_support.tf_import import import_tensorflow

        import_tensorflow()
    return _getattr(name)
