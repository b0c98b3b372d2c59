"""
Resume after a kill
===================

A checkpoint holds everything: weights, optimizer, the selector's memory, the plan under way, random generators and the
history. A program that is killed goes on when it is started again, and ends with the same weights as one that was never
interrupted. The program below is run three times: killed, started again, and without interruption.
"""

import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

PROGRAM = """
import os, signal
from pathlib import Path
import keras
import batchsel

class Kill(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 5:
            os.kill(os.getpid(), signal.SIGKILL)  # as the system does when memory is short

digits = batchsel.data.load("digits")
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
trainer = batchsel.Trainer(model, selector="loss_ema", schedule="cosine", compile="graph")  # starts sooner
checkpoint = Path(CHECKPOINT)
if checkpoint.exists():
    trainer.resume(checkpoint)
trainer.fit(digits.train.x, digits.train.y, epochs=10, checkpoint=checkpoint, verbose=0,
            validation_data=(digits.validation.x, digits.validation.y), callbacks=[Kill()] if KILLED else [])
"""

# %%
# ``fit(checkpoint=...)`` writes after each evaluation, and at Ctrl-C. The file is replaced in one step, so that a kill
# in the middle of writing leaves the one before.

folder = Path(tempfile.mkdtemp())
program = folder / "train.py"
program.write_text(PROGRAM)
start = f"import runpy; runpy.run_path({str(program)!r}, {{'CHECKPOINT': {str(folder / 'run.npz')!r}, 'KILLED': True}})"
killed = subprocess.run([sys.executable, "-c", start], capture_output=True, check=False)
print(f"the first run ended with signal {-killed.returncode} and left {[path.name for path in folder.glob('*.npz')]}")

resumed = runpy.run_path(program, {"CHECKPOINT": folder / "run.npz", "KILLED": False})["trainer"]
whole = runpy.run_path(program, {"CHECKPOINT": folder / "whole.npz", "KILLED": False})["trainer"]
gap = max(np.abs(a - b).max() for a, b in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True))
print(f"largest difference of a weight: {gap:.1e}; same visits: {np.array_equal(resumed.visits, whole.visits)}")

# %%
# On the command line, ``batchsel run --resume runs/NAME`` does this, with all settings read from the run's folder.

figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
epochs = np.arange(1, 11)
axis.plot(epochs, whole.history["val_loss"], lw=6, alpha=0.3, label="never interrupted")
axis.plot(epochs[:5], resumed.history["val_loss"][:5], "o-", label="written by the run that was killed")
axis.plot(epochs[4:], resumed.history["val_loss"][4:], "o-", label="resumed from its checkpoint")
axis.axvline(6, color="gray", ls="--", lw=0.8)
axis.annotate("killed at the end of epoch 6", (6, axis.get_ylim()[1]), xytext=(4, -14), textcoords="offset points")
axis.set(xlabel="epoch", ylabel="validation loss")
axis.legend()
plt.show()
