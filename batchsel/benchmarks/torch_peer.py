"""The tasks of the benchmark in PyTorch, as its users would write them: eager, with a fused or plain Adam."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np


def build(task: str, precision: str, quick: bool, options: Mapping[str, int]) -> tuple[Callable[[], Any], int]:
    """Return a function that trains for the passes of one call, and the number of its steps.

    Args:
        task: "mlp", "cnn" or "lstm".
        precision: "float32", or "bfloat16" for autocast.
        quick: Whether to train on few samples.
        options: "loader" for a DataLoader in place of indexed tensors, "channels_last" for that form of pictures.
    """
    torch: Any = importlib.import_module("torch")  # not among what batchsel installs
    nn = torch.nn
    n, batch_size, passes, make_data, make_model = _tasks(nn)[task]
    if quick:
        n, passes = 4 * batch_size, 1
    x, y = (torch.from_numpy(part) for part in make_data(n))
    model, loss = make_model(), nn.CrossEntropyLoss()
    if options.get("channels_last") and x.ndim == 4:
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    dataset = torch.utils.data.TensorDataset(x, y)
    loader = torch.utils.data.DataLoader(dataset, batch_size, shuffle=True)

    def batches() -> Iterator[tuple[Any, Any]]:
        if options.get("loader"):
            yield from loader
            return
        for rows in torch.randperm(n).split(batch_size):
            yield x[rows], y[rows]

    def train() -> None:
        for _ in range(passes):
            correct, total = torch.zeros(()), torch.zeros(())
            for inputs, targets in batches():
                lower = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext()
                with lower:
                    outputs = model(inputs)
                    value = loss(outputs, targets)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                with torch.no_grad():  # the mean loss and accuracy of a pass, as the others report them
                    correct += (outputs.argmax(1) == targets).sum()
                    total += value
            _ = correct.item(), total.item()

    return train, -(-n // batch_size) * passes


def _tasks(nn: Any) -> dict[str, tuple[int, int, int, Callable[[int], Any], Callable[[], Any]]]:
    """Return samples, batch size, passes, data and model of each task, those of `batchsel.benchmarks.loop`."""
    generator = np.random.default_rng(0)

    class LSTM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.lstm, self.head = (
                nn.Embedding(5000, 64),
                nn.LSTM(64, 64, batch_first=True),
                nn.Linear(64, 2),
            )

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(self.embedding(x))[0][:, -1])

    class Scaled(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.float() / 255

    def points(n: int) -> tuple[np.ndarray, np.ndarray]:
        x = generator.normal(size=(n, 2)).astype(np.float32)
        return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)

    def images(n: int) -> tuple[np.ndarray, np.ndarray]:
        return generator.integers(0, 256, (n, 1, 28, 28), np.uint8), generator.integers(0, 10, n, np.int64)

    def tokens(n: int) -> tuple[np.ndarray, np.ndarray]:
        return generator.integers(0, 5000, (n, 40), np.int64), generator.integers(0, 2, n, np.int64)

    def mlp() -> Any:
        return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))

    def cnn() -> Any:
        first = [Scaled(), nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
        second = [nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        return nn.Sequential(*first, *second, nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10))

    return {
        "mlp": (2048, 32, 20, points, mlp),
        "cnn": (60_000, 128, 1, images, cnn),
        "lstm": (12_800, 128, 1, tokens, LSTM),
    }
