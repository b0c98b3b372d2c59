"""Training: the compiled loop, the trainer around it, clock, target and checkpoints."""

from batchsel.core.lazy_imports import attach

_PUBLIC = {
    "Clock": "runtime.clock",
    "Trainer": "trainer",
    "TrainingError": "loop.errors",
    "fit": "fit_model",
}

__getattr__, __dir__ = attach(__name__, _PUBLIC)
