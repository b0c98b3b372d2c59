"""
A curriculum for images
=======================

A curriculum changes the samples of training over the run: here images are blurred at first and sharp from half of the
budget on, and small before they have their full size. Both are functions of progress, the share of the budget that was
trained on, so they end in time whatever the selector does. Evaluation sees plain images.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np

import batchsel
from batchsel.core.timestamp import Timestamp

digits = batchsel.data.load("digits")
x = np.repeat(np.repeat(digits.train.x.reshape(-1, 8, 8, 1), 2, axis=1), 2, axis=2) * 255
validation = np.repeat(np.repeat(digits.validation.x.reshape(-1, 8, 8, 1), 2, axis=1), 2, axis=2) * 255

CURRICULUM = "blur(sigma=2.0, until=0.5, form='sigma') | resolution(start=0.5, delay=0.4, finish=0.8, multiple=2)"

# %%
# The model must accept images of any size: it ends in a mean over the image.

keras.utils.set_random_seed(0)
model = batchsel.models.build("simple_cnn", (16, 16, 1), 10)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
trainer = batchsel.Trainer(model, batch_size=64, curriculum=CURRICULUM)
settings = {"epochs": 6, "validation_data": (validation, digits.validation.y), "verbose": 0}
history = trainer.fit(x, digits.train.y, **settings).history
print(f"validation accuracy {history['val_accuracy'][-1]:.3f}")

# %%
# Above: three digits as the network saw them at five moments of the run. Below: the log of the run, which is also in
# the record of ``batchsel run --curriculum``. Whether any of it helps is a question for ``batchsel compare``.

figure = plt.figure(figsize=(9, 6), layout="constrained")
images, curve = figure.subfigures(2, 1, height_ratios=(3, 2))
moments = (0.0, 0.25, 0.45, 0.6, 1.0)
curriculum = batchsel.curricula.resolve(CURRICULUM)
axes = images.subplots(3, len(moments))
for column, progress in zip(axes.T, moments, strict=True):
    shown = curriculum(
        keras.ops.convert_to_tensor(x[:3]), batchsel.Rng(0, 0), Timestamp.from_progress(progress)
    ).numpy()
    for axis, image in zip(column, shown, strict=True):
        axis.imshow(image[:, :, 0], cmap="gray_r", vmin=0, vmax=255)
        axis.set(xticks=[], yticks=[])
    column[0].set_title(f"progress {progress}: {shown.shape[1]}×{shown.shape[2]}")
log = trainer.schedule_log
axis = curve.subplots()
for name, values in zip(log["names"], np.transpose(log["values"]), strict=True):
    axis.plot(np.divide(log["samples"], 6 * len(x)), values, label=name)
axis.set(xlabel="progress", ylabel="value used")
axis.legend()
plt.show()
