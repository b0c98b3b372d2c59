"""Training: the compiled loop, the trainer around it, clock, target and checkpoints."""

from batchsel._lazy import attach

_PUBLIC = {
    "Clock": "clock",
    "Trainer": "trainer",
    "TrainingFault": "faults",
    "fit": "fit_model",
}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
