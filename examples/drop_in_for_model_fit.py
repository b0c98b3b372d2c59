"""
A drop-in for ``model.fit``
===========================

``batchsel.fit(model, x, y)`` takes the arguments of ``model.fit``. In the order of the data (the selector ``fixed``) it
even gives the same history, up to the rounding of floats. Change one word, and a selector chooses the batches.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np

import batchsel

# %%
# The digits of scikit-learn come with batchsel; nothing is downloaded.

digits = batchsel.data.load("digits")
x, y = digits.train.x, digits.train.y
validation = (digits.validation.x, digits.validation.y)


def build():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.002), loss, metrics=["accuracy"])
    return model


# %%
# The same call, once with the method of Keras and twice with the function of batchsel.

settings = {"batch_size": 32, "epochs": 12, "validation_data": validation, "verbose": 0}
by_keras = build().fit(x, y, shuffle=False, **settings).history
by_batchsel = batchsel.fit(build(), x, y, selector="fixed", **settings).history
by_loss = batchsel.fit(build(), x, y, selector="loss_ema", **settings).history

difference = np.abs(np.subtract(by_keras["val_loss"], by_batchsel["val_loss"])).max()
print(f"largest difference of the validation loss, Keras and batchsel in the same order: {difference:.1e}")

# %%
# The first two curves lie on each other: what follows from a selector is owed to the selector and not to the loop. The
# training loss of ``loss_ema`` is that of the samples it chose, which are harder than the data. Compare selectors on
# validation data, and on more than one seed before you believe it (``compare_selectors.py``).

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
epochs = np.arange(1, 13)
for axis, name, title in zip(axes, ["loss", "val_loss"], ["training loss", "validation loss"], strict=True):
    axis.plot(epochs, by_keras[name], lw=6, alpha=0.3, label="model.fit, in order")
    axis.plot(epochs, by_batchsel[name], lw=1.5, label='batchsel.fit, "fixed"')
    axis.plot(epochs, by_loss[name], lw=1.5, ls="--", label='batchsel.fit, "loss_ema"')
    axis.set(title=title, xlabel="epoch", yscale="log")
axes[0].legend()
plt.show()
