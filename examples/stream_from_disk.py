"""
Stream samples from disk
========================

Data that do not fit into memory come through a source: an object with ``len(source)`` and ``take(indices)``. The plan
of the selector is known in advance, so a thread reads one block of it while the block before is trained on. The
source here reads a memory map, and notes what was asked for.
"""

import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

import batchsel

N, WIDTH = 6000, 64
generator = np.random.default_rng(0)
path = Path(tempfile.mkdtemp()) / "samples.npy"
rows = np.lib.format.open_memmap(path, "w+", "float32", (N, WIDTH))
rows[:] = generator.normal(size=(N, WIDTH))
targets = (rows[:, :8] ** 2).sum(axis=1, dtype="float32") / 8
rows.flush()


class Rows:
    """Samples on disk: only the rows that are asked for are read."""

    def __init__(self, path, y):
        self.x, self.y, self.read = np.load(path, mmap_mode="r"), y, []

    def __len__(self):
        return len(self.x)

    def take(self, indices):
        self.read.append(np.array(indices))
        return self.x[indices], self.y[indices]


# %%
# ``buffer_bytes`` is the memory for reading ahead; a block is half of it. Everything else is as with arrays, and so is
# the result: the same seed leads to the same batches.


def train(*data, **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    settings = {"selector": "loss_ema", "batch_size": 50, "epochs": 4, "verbose": 0}
    return batchsel.fit(model, *data, **settings, **options).history["loss"]


source = Rows(path, targets)
streamed = train(source, buffer_bytes=2 * 1000 * 4 * (WIDTH + 1))
in_memory = train(np.array(rows), targets)
print(f"largest difference of the training loss: {np.abs(np.subtract(streamed, in_memory)).max():.1e}")
print(f"{len(source.read)} blocks were read, of at most {max(map(len, source.read))} rows")

# %%
# A dot is a row that a block holds; rows whose target is far from the mean, which are hard to predict, are at the top.
# In the first epoch every row is read once, in random order; from then on the selector asks for hard rows more often,
# and the blocks grow darker toward the top. A block ends with a plan; what is left of it repeats a row.

read = np.concatenate([np.unique(block) for block in source.read])
place = np.argsort(np.argsort(np.abs(targets - targets.mean())))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", width_ratios=(2, 1))
left.plot(place[read], ",", color="tab:blue", alpha=0.7)
left.set(xlabel="rows read so far", ylabel="rows on disk, the most unusual at the top")
for start, end, label in ((0, N, "first 6,000 rows read"), (len(read) - N, len(read), "last 6,000")):
    right.hist(place[read[start:end]], bins=12, histtype="step", lw=2, label=label)
right.set(xlabel="rows on disk, the most unusual at the right", ylabel="times that one of them was read")
right.legend(loc="upper left")
plt.show()
