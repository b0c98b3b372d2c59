"""
A language model on Shakespeare
===============================

Six sonnets, a transformer of one block that predicts the next letter, and ``loss_ema``. A sample is a window of text,
and its loss the mean over its letters, so every selector that uses losses works on text. The command
``batchsel run --dataset tiny_shakespeare`` does this on a million letters of the plays.
"""

from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

import batchsel

folder = Path(__file__).parent if "__file__" in globals() else Path()  # in a notebook, the working folder
text = (folder / "sonnets.txt").read_text("utf-8")
letters = sorted(set(text))
codes = np.array([letters.index(letter) for letter in text], "int32")
LENGTH = 48
starts = np.arange(0, len(codes) - LENGTH, 8)
windows = np.stack([codes[start : start + LENGTH + 1] for start in starts])

# %%
# The last sonnet is held out: windows overlap, so a split at random would leak.

held_out = starts >= text.rindex("\n\n") - LENGTH
train, rest = windows[~held_out], windows[held_out][6:]
keras.utils.set_random_seed(0)
model = batchsel.models.build("tiny_lm(width=48, blocks=1)", (LENGTH,), len(letters))
model.compile(keras.optimizers.AdamW(0.005), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
trainer = batchsel.Trainer(model, selector="loss_ema", batch_size=32, schedule="cosine | warmup(0.05)")
validation = (rest[:, :-1], rest[:, 1:])
history = trainer.fit(train[:, :-1], train[:, 1:], epochs=14, validation_data=validation, verbose=0).history
perplexity = np.exp(history["val_loss"])
print(f"perplexity of the held-out sonnet: {perplexity[0]:.1f} after one epoch, {perplexity.min():.1f} at best")

# %%
# Five sonnets are soon known by heart: training goes on to fall while the held-out sonnet stops. On the right, the
# first lines of that sonnet, redder where the model is surprised: by rare words, hardly by spaces and common endings.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained", width_ratios=(2, 3))
left.plot(np.exp(history["loss"]), label="windows that were chosen")
left.plot(perplexity, label="held-out sonnet")
left.set(xlabel="epoch", ylabel="perplexity of a letter", yscale="log")
left.legend()
lines = text[text.rindex("\n\n") + 2 :].splitlines()[:8]
surprise = np.full([len(lines), LENGTH], np.nan)
for row, line in enumerate(lines):
    known = np.array([[letters.index(letter) for letter in "\n" + line]])
    scores = keras.ops.convert_to_numpy(keras.ops.log_softmax(model(known[:, :-1])))[0]
    surprise[row, : len(line)] = -np.take_along_axis(scores, known[0, 1:, None], axis=1)[:, 0]
    for column, letter in enumerate(line):
        right.text(column, row, letter, family="monospace", fontsize=9, ha="center", va="center")
right.imshow(surprise, cmap="Reds", vmin=0, vmax=8, aspect="auto")
right.set_title("surprise at each letter, −log p")
right.axis("off")
plt.show()
