"""
Find wrong labels
=================

A sample whose own label stays improbable over the whole training is often labeled wrongly. The selector ``mapping``
shuffles, and records this for every sample (Swayamdipta et al., *Dataset Cartography*, EMNLP 2020). Here a tenth of the
labels of the digits are made wrong on purpose, so that we can count how many are found.
"""

import dataclasses

import keras
import matplotlib.pyplot as plt
import numpy as np

import batchsel
from batchsel.data.variants.corruption import corrupt_labels

noisy = corrupt_labels(batchsel.data.load("digits"), share=0.1)
x, y = noisy.train.x, noisy.train.y
wrong = y != noisy.true_labels

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.002), loss, metrics=["accuracy"])
trainer = batchsel.Trainer(model, selector="mapping", batch_size=32)
trainer.fit(x, y, epochs=15, verbose=0)

# %%
# The state of the selector holds the sum over all visits; confidence is the mean probability of the given label. The
# command ``batchsel map --dataset digits --label-noise 0.1`` draws the same map.

dynamics = trainer.loop.state.state
confidence = dynamics.confidence.numpy()
variability = np.sqrt(dynamics.squares.numpy() / dynamics.times.numpy())
suspects = np.argsort(confidence, kind="stable")
found = wrong[suspects[: wrong.sum()]].mean()
print(f"{found:.0%} of the {wrong.sum()} least confident samples have a wrong label, 10 % of all samples do")

# %%
# Where `cleanlab <https://pypi.org/project/cleanlab/>`_ is installed, it takes labels and probabilities. It wants
# those of models that have not seen the sample; these come from the model above, which makes it miss some.

try:
    from cleanlab.filter import find_label_issues
except ImportError:
    print("cleanlab is not installed: pip install cleanlab")
else:
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(model(x)))
    issues = find_label_issues(y, probabilities)
    print(f"cleanlab reports {issues.sum()} samples, {wrong[issues].mean():.0%} of them with a wrong label")

# %%
# To train on, leave the suspects out, or look at them first: on the right are the twelve least confident.

clean = np.sort(suspects[wrong.sum() :])
cleaned = dataclasses.replace(noisy.train, x=x[clean], y=y[clean])
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for mask, label, color in [(~wrong, "label right", "tab:blue"), (wrong, "label wrong", "tab:red")]:
    left.scatter(variability[mask], confidence[mask], s=8, c=color, label=label, alpha=0.6)
left.set(xlabel="variability", ylabel="confidence in the given label")
left.legend()
tiles = [np.pad(x[place].reshape(8, 8), 2) for place in suspects[:12]]
right.imshow(np.block([tiles[row * 4 : row * 4 + 4] for row in range(3)]), cmap="gray_r")
for number, place in enumerate(suspects[:12]):
    right.text(number % 4 * 12 + 1, number // 4 * 12 + 1, f"{y[place]}", color="tab:red", va="center")
right.set(xticks=[], yticks=[], title="least confident, with the given label")
plt.show()
