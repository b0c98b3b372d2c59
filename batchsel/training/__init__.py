"""Training: the trainer, its compiled loop, clock and checkpoints."""

from batchsel.core.lazy_imports import attach

_PUBLIC = {
    "Clock": "runtime.clock",
    "Trainer": "trainer",
    "TrainingError": "loop.errors",
    "fit": "fit_model",
}

__getattr__, __dir__ = attach(__name__, _PUBLIC)
