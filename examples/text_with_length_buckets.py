"""
Texts in buckets of similar length
==================================

A batch of texts is padded to its longest one, and the padding is computed, too. ``length_buckets`` shuffles, but puts
texts of similar length into a batch; ``cut_padding`` cuts each batch to its longest text. The texts here are made up:
bracket sequences of 4 to 60 signs, to be told balanced from unbalanced.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np

import batchsel

LENGTH = 60
generator = np.random.default_rng(0)
lengths = np.clip(generator.lognormal(2.4, 0.6, 1200).astype(int), 4, LENGTH)


def text(length):
    """Return signs 1 (opens) and 2 (closes), and whether no bracket closes before one opened."""
    signs = generator.choice([1, 2], length, p=[0.6, 0.4])
    return signs, np.cumsum(np.where(signs == 1, 1, -1)).min() >= 0


x, y = np.zeros([len(lengths), LENGTH], "int32"), np.zeros(len(lengths), "int32")
for row, length in enumerate(lengths):
    x[row, :length], y[row] = text(length)

# %%
# The model must not depend on padding, which batchsel checks: the embedding masks it.


class Batches(keras.callbacks.Callback):
    """Keeps the numbers of the samples of every batch."""

    reads_batches = True

    def set_trainer(self, trainer):
        self.trainer, self.kept = trainer, []

    def on_epoch_end(self, epoch, logs=None):
        self.kept += [batch.indices for batch in self.trainer.last_batches]


def train(selector):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Embedding(3, 8, mask_zero=True), keras.layers.GRU(24), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    batches = Batches()
    settings = {"batch_size": 32, "cut_padding": True, "epochs": 8, "verbose": 0}
    settings |= {"callbacks": [batches], "validation_data": (x[1000:], y[1000:])}
    history = batchsel.fit(model, x[:1000], y[:1000], selector=selector, **settings)
    return [lengths[indices] for indices in batches.kept], history.history["val_accuracy"][-1]


# %%
# One picture of the first 16 batches of each: a column is a text, dark its signs, light the padding computed for it.

figure, axes = plt.subplots(2, 1, figsize=(10, 4.4), layout="constrained", sharex=True)
shares = {}
for axis, selector in zip(axes, ["random", "length_buckets(pool=8)"], strict=True):
    batches, accuracy = train(selector)
    padded = [np.full(len(batch), batch.max()) for batch in batches]
    shares[selector] = 1 - np.concatenate(batches).sum() / np.concatenate(padded).sum()
    shown = slice(0, 16 * 32)
    axis.bar(np.arange(16 * 32), np.concatenate(padded)[shown], 1, color="tab:orange", alpha=0.4, label="padding")
    axis.bar(np.arange(16 * 32), np.concatenate(batches)[shown], 1, color="tab:blue", label="text")
    axis.set(ylabel="signs", title=f"{selector}: {shares[selector]:.0%} of what is computed is padding")
    print(f"{selector}: validation accuracy {accuracy:.3f}, padding {shares[selector]:.1%}")
axes[0].legend(loc="upper right")
axes[1].set_xlabel("texts in the order of training; 16 batches of 32")
plt.show()
