"""
A selector in ten lines
=======================

A selector may be a plain function: it gets the last known loss of every sample, and returns the numbers of the samples
of the next batch. Parameters that it adds are filled by name. This one takes half of each batch from the hardest
samples, but never from the hardest 2 %, where wrong labels collect; the other half is drawn at random.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import batchsel


def hard_but_not_hardest(losses, batch_size, rng):
    n, half = losses.shape[0], batch_size // 2
    known = tf.where(tf.math.is_finite(losses), losses, 0.0)  # samples that were not trained on have an infinite loss
    ranked = tf.math.top_k(known, n // 5).indices[n // 50 :]  # the hardest fifth without the hardest 2 %
    chosen = tf.gather(ranked, rng.permutation(ranked.shape[0])[:half])
    return tf.concat([chosen, rng.permutation(n)[: batch_size - half]], axis=0)


# %%
# It is TensorFlow code, traced once and compiled into the loop; a slip is one sentence before anything is trained.
# Nothing else is needed to train with it:

digits = batchsel.data.load("digits")
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])

trainer = batchsel.Trainer(model, selector=hard_but_not_hardest, batch_size=32)
validation = (digits.validation.x, digits.validation.y)
history = trainer.fit(digits.train.x, digits.train.y, epochs=10, validation_data=validation, verbose=0)
print(f"validation accuracy {history.history['val_accuracy'][-1]:.3f}")

# %%
# The digits that it chose least are the plain ones; those that it chose most are oddly written. In a file, the same
# function is ``--selector ./mine.py:hard_but_not_hardest`` on the command line, and ``batchsel selectors check`` tries
# it on unusual data.

visits = trainer.visits
order = np.argsort(visits, kind="stable")
figure, axes = plt.subplots(2, 12, figsize=(11, 2.6), layout="constrained")
for row, rows, label in zip(axes, [order[:12], order[::-1][:12]], ["least", "most"], strict=True):
    for axis, place in zip(row, rows, strict=True):
        axis.imshow(digits.train.x[place].reshape(8, 8), cmap="gray_r")
        axis.set(xticks=[], yticks=[], title=f"{digits.train.y[place]}: {visits[place]}×")
    row[0].set_ylabel(label)
figure.suptitle("label and number of times that a digit was trained on in 10 epochs")
plt.show()
