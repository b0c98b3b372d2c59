"""The tasks of the benchmark in PyTorch, as its users would write them: eager, with a fused Adam."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from batchsel.benchmarks.tasks import Task


def build(task: Task, precision: str, options: Mapping[str, int]) -> Callable[[], Any]:
    """Return a function that trains for the passes of one call.

    Args:
        task: The task.
        precision: "float32", or "bfloat16" for autocast.
        options: "loader" for a DataLoader in place of indexed tensors, "channels_last" for that form of pictures.
    """
    torch: Any = importlib.import_module("torch")  # not among what batchsel installs
    nn, n, batch_size = torch.nn, task.n, task.batch_size
    x, y = (torch.from_numpy(part) for part in _in_its_form(*task.data(n)))
    model, loss = _models(nn)[task.name](), nn.CrossEntropyLoss()
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
        for _ in range(task.passes):
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

    return train


def _in_its_form(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return data as PyTorch takes them: channels of pictures first, tokens and targets in 64 bits."""
    if x.ndim == 4:
        x = np.ascontiguousarray(np.moveaxis(x, 3, 1))
    return x.astype(np.int64) if x.dtype == np.int32 else x, y.astype(np.int64)


def _models(nn: Any) -> dict[str, Callable[[], Any]]:
    """Return functions that build the models of `batchsel.benchmarks.loop`."""

    class LSTM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(5000, 64), nn.Linear(64, 2)
            self.lstm = nn.LSTM(64, 64, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(self.embedding(x))[0][:, -1])

    class Scaled(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.float() / 255

    def mlp() -> Any:
        return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))

    def cnn() -> Any:
        first = [Scaled(), nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
        second = [nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        return nn.Sequential(*first, *second, nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10))

    return {"mlp": mlp, "cnn": cnn, "lstm": LSTM}
