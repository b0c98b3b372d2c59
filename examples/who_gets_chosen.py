"""
Who gets chosen
===============

Two spirals, a small network, and the selector ``loss_ema``, which prefers samples whose loss was high. Above: the
network's decision at four moments. Below: how often each point was trained on since the moment before. The choices
follow the part of the boundary that is not learned yet, from the outside to the middle.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np

import batchsel

spirals = batchsel.data.load("spirals")
x, y = spirals.train.x, spirals.train.y

keras.utils.set_random_seed(1)
hidden = [keras.layers.Dense(32, "relu") for _ in range(2)]
model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(2)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])

# %%
# A callback looks at the trainer after chosen epochs. ``trainer.visits`` counts how often each sample was trained on.

MOMENTS = (4, 8, 16, 32)
side = np.linspace(-2.1, 2.1, 120, dtype="float32")
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


class Look(keras.callbacks.Callback):
    """Keeps the decision on a grid, and the visits since the last look."""

    def set_trainer(self, trainer):
        self.trainer, self.before, self.kept = trainer, 0, []

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 in MOMENTS:
            logits = self.model(grid).numpy()
            visits = self.trainer.visits
            self.kept.append((logits[:, 1] - logits[:, 0], visits - self.before, logs["accuracy"]))
            self.before = visits


look = Look()
trainer = batchsel.Trainer(model, selector="loss_ema", batch_size=32, schedule="linear")
trainer.fit(x, y, epochs=MOMENTS[-1], callbacks=[look], verbose=0)

# %%
# Early, choices are spread over all points. Then the outer windings are right and left alone, and the inner end, which
# the network still cuts off, is trained on several times an epoch.

figure, axes = plt.subplots(2, 4, figsize=(11, 5.6), layout="constrained", sharex=True, sharey=True)
starts = (0, *MOMENTS)
for (margin, visits, _), start, end, column in zip(look.kept, starts, MOMENTS, axes.T, strict=False):
    above, below = column
    above.contourf(side, side, margin.reshape(120, 120) > 0, levels=1, cmap="coolwarm", alpha=0.5)
    above.scatter(*x.T, c=y, s=1, cmap="coolwarm")
    above.set_title(f"after epoch {end}")
    order = np.argsort(visits)
    points = below.scatter(*x[order].T, c=visits[order] / (end - start), s=5, cmap="magma_r", vmin=0, vmax=3)
    below.set_xlabel(f"epochs {start + 1} to {end}")
for axis in axes.flat:
    axis.set(xticks=[], yticks=[], aspect="equal")
figure.colorbar(points, ax=axes[1], label="times chosen per epoch")
plt.show()

late = np.sort(look.kept[-1][1])
print(f"in the last window the most chosen tenth of the points took {late[-len(x) // 10 :].sum() / late.sum():.0%}")
