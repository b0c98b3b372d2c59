"""
Imbalanced classes
==================

The training part of the digits is cut so that class 0 has fifty times as many samples as class 9; validation stays
balanced. A rare class can count more by ``class_weight`` (larger gradients from few batches) or by being chosen more
often, which here takes four lines. The picture shows whom each way trains on, and which classes it recognizes.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import batchsel
from batchsel.data.variants.corruption import make_imbalanced

digits = make_imbalanced(batchsel.data.load("digits"), ratio=50)
x, y = digits.train.x, digits.train.y
sizes = np.bincount(y, minlength=10)
print("samples of each class:", sizes.tolist())


def balanced(losses, batch_size, rng, *, labels):
    """Draw every class equally often: an exponential clock for each sample, faster in rare classes."""
    size = tf.gather(sizes, labels)
    waiting = -tf.math.log(1 - rng.uniform([losses.shape[0]])) * tf.cast(size, tf.float32)
    return tf.math.top_k(-waiting, batch_size).indices


# %%
# A draw without replacement from a class of three cannot fill a tenth of a batch of 64 samples: it takes what is there.


def train(selector, class_weight=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss)
    trainer = batchsel.Trainer(model, selector=selector, batch_size=16, schedule="linear")
    trainer.fit(x, y, epochs=40, class_weight=class_weight, verbose=0)
    guessed = model.predict(digits.validation.x, verbose=0).argmax(1)
    recall = [np.mean(guessed[digits.validation.y == c] == c) for c in range(10)]
    return np.bincount(y, trainer.visits, 10) / trainer.visits.sum(), recall


weights = {c: len(y) / (10 * size) for c, size in enumerate(sizes)}
results = {
    "random": train("random"),
    "random, class_weight": train("random", weights),
    "balanced": train(balanced),
    "loss_ema": train("loss_ema"),
}

# %%
# Choosing by loss leans to rare classes by itself, without being told of classes: they are the ones still learned.

figure, axes = plt.subplots(2, 1, figsize=(9, 5.4), layout="constrained", sharex=True)
for number, (name, (share, recall)) in enumerate(results.items()):
    places = np.arange(10) + 0.2 * (number - 1.5)
    axes[0].bar(places, share, 0.2, label=name)
    axes[1].bar(places, recall, 0.2)
    print(f"{name}: mean recall {np.mean(recall):.3f}, of the three rarest classes {np.mean(recall[7:]):.3f}")
axes[0].set(ylabel="share of trained samples")
axes[0].legend()
axes[1].set(ylabel="recall on validation", xlabel="class, from frequent to rare", xticks=range(10))
plt.show()
