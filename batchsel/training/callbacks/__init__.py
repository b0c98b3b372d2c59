"""Keras callbacks for the training loop: progress, stages, and trackers (TensorBoard, MLflow, Weights & Biases)."""

from batchsel.core.lazy_imports import attach as _attach

_PUBLIC = {
    "AfterEvaluations": "stages",
    "AtStages": "stages",
    "MLflow": "mlflow_tracker",
    "TensorBoard": "tensorboard",
    "WandB": "wandb_tracker",
    "Watch": "stages",
}

__getattr__, __dir__ = _attach(__name__, _PUBLIC)
