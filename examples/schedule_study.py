"""
A study of schedules
====================

A schedule is a factor of the learning rate as a function of progress; factors multiply with ``|``. Four schedules train
the same network from the same three seeds. ``Trainer.reset`` starts a run over in place, so each schedule is traced and
compiled once.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np

import batchsel

digits = batchsel.data.load("digits")
validation = (digits.validation.x, digits.validation.y)
SCHEDULES = ["constant", "linear", "cosine | warmup(0.1, start=0.0)", "one_cycle(peak=0.02)"]
SEEDS, EPOCHS = range(3), 12


def runs(schedule):
    """Return the validation loss of each seed and epoch, and the learning rate as it was used."""
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    trainer = batchsel.Trainer(model, batch_size=32, schedule=schedule)
    losses = []
    for seed in SEEDS:
        trainer.reset(seed)
        history = trainer.fit(digits.train.x, digits.train.y, epochs=EPOCHS, validation_data=validation, verbose=0)
        losses.append(history.history["val_loss"])
    return np.array(losses), trainer.schedule_log


# %%
# With a rate that never falls, the loss keeps moving up and down at the end; the schedules that fall to 0 come to rest.
# Three seeds of one small task do not say which is best: tune the rate and the horizon of each before comparing
# (``batchsel tune``), and state the comparison as in ``compare_selectors.py``.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for schedule in SCHEDULES:
    losses, log = runs(schedule)
    rate = np.array(log["values"])[:, log["names"].index("learning rate")] if log else np.full(2, 0.01)
    samples = log["samples"] if log else [0, EPOCHS * len(digits.train)]
    (line,) = left.plot(np.divide(samples, len(digits.train)), rate)
    right.plot(range(1, EPOCHS + 1), losses.T, color=line.get_color(), lw=0.7, alpha=0.5)
    right.plot(range(1, EPOCHS + 1), losses.mean(axis=0), color=line.get_color(), lw=2, label=schedule)
    last = losses[:, -1]
    print(f"{schedule}: validation loss at the end {last.mean():.4f}, seeds from {last.min():.4f} to {last.max():.4f}")
left.set(xlabel="epoch", ylabel="learning rate, as used")
right.set(xlabel="epoch", ylabel="validation loss; bold: mean of seeds", yscale="log")
right.legend()
plt.show()
