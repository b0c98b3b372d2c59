"""Checkpoints of version 0.1.0 resume to the same end as an uninterrupted run."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from problems import classes, mlp

from batchsel import Trainer

FOLDER = Path(__file__).parent / "checkpoints"
SETTINGS = {
    "history": {"selector": "smart(every=3)", "schedule": "cosine | warmup(0.1)", "accumulate": 2},
    "pool": {"selector": "candidates", "schedule": "linear"},
    "hidden": {"selector": "kakurenbo"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_checkpoint_of_version_0_1_0_resumes_to_the_same_end(name):
    """Each was saved at step 11 of a run in graph mode."""
    expected = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))[name]
    x, y = classes(50)
    model = mlp(optimizer=keras.optimizers.Adam(0.02))
    trainer = Trainer(model, batch_size=8, compile="graph", **SETTINGS[name])
    trainer.resume(FOLDER / f"{name}.npz")
    history = trainer.fit(x, y, epochs=4, validation_data=(x, y), verbose=0).history
    assert trainer.counts == expected["counts"]
    assert trainer.visits.tolist() == expected["visits"]
    assert set(history) == set(expected["history"])
    for metric, values in expected["history"].items():
        np.testing.assert_allclose(history[metric], values, rtol=1e-5, err_msg=metric)
    np.testing.assert_allclose(trainer.losses, expected["losses"], rtol=1e-5)
    for weight, values in zip(model.get_weights(), expected["weights"], strict=True):
        np.testing.assert_allclose(weight.ravel(), values, rtol=1e-5)
