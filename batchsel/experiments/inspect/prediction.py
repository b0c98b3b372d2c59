"""What the model of a run says of samples: built as the run built it, with the weights that the run left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.core.target import HOLD, Target, first_reached
from batchsel.data import Dataset, Part
from batchsel.data.encoding.subwords import Subwords
from batchsel.data.encoding.vocabulary import UNKNOWN, Encoder
from batchsel.errors import UsageError, UserError
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.run.run_folder import CHECKPOINT, kept_text, settings_of
from batchsel.experiments.spec.dataset_lookup import some, whole
from batchsel.experiments.spec.spec import RunSpec
from batchsel.training.loop.data_feed import InMemoryFeed, StreamingFeed
from batchsel.training.loop.train_step import Rows
from batchsel.training.trainer import Trainer

_ROWS = 256
"""Of a forward pass."""
_SUBWORDS = 40
"""That a language model goes on with a text for, at most."""
_END = 0
_PIXEL = re.compile(r"pixel_(\d+)_(\d+)")


class Prediction(NamedTuple):
    """What a model says of one sample.

    Example:
        >>> Prediction("yes", {"no": 0.2, "yes": 0.8}, true="no").wrong
        True
    """

    predicted: str | float
    """Name of the likeliest class, or the value; of a language model, how the text goes on."""
    probabilities: dict[str, float]
    """Of each class by its name; empty for a regression."""
    true: str | float | None = None
    """What is right, if it is known."""
    sample: int | None = None
    """Row in the test part, if the sample is from there."""
    text: str | None = None
    """The text, if the sample is one."""
    known_words: int | None = None
    """How many words of the text the run has in its vocabulary."""

    @property
    def wrong(self) -> bool:
        """Whether another class is right."""
        return self.true is not None and bool(self.probabilities) and self.predicted != self.true


@dataclass(frozen=True)
class TrainedRun:
    """The model of a run and its data.

    Args:
        spec: The settings of the run.
        dataset: Its data.
        model: The model with its weights.
        encoder: What turns texts into numbers as the run did; None for other data.
        at_target: Whether the weights are those at the target; if not, the last ones.
        samples: Samples that had been trained on when the weights were as they are.
    """

    spec: RunSpec
    dataset: Dataset
    model: Any
    encoder: Encoder | Subwords | None
    at_target: bool
    samples: int

    @property
    def picture_shape(self) -> tuple[int, ...] | None:
        """Height, width and channels if the inputs are pictures, or a table of features ``pixel_ROW_COLUMN``."""
        if len(self.dataset.input_shape) == 3:
            return self.dataset.input_shape
        places = [_PIXEL.fullmatch(name) for name in self.dataset.feature_names]
        if not places or not all(places):
            return None
        height, width = (1 + max(int(place[axis]) for place in places) for axis in (1, 2))
        return (height, width, 1) if height * width == len(places) else None

    def of_texts(self, texts: Sequence[str]) -> list[Prediction]:
        """Predictions for texts of the user's.

        Args:
            texts: The texts.

        Returns:
            One a text.

        Raises:
            UsageError: If the run was not trained on texts, or one of them holds no word.
        """
        if self.encoder is None:
            raise UsageError(f"{self.spec.dataset} has no texts: predictions are made for samples of its test part.")
        if self.dataset.task == "language_model":
            return [Prediction(self._continued(text), {}, text=text) for text in texts]
        numbers = self.encoder.encode(texts)
        empty = np.flatnonzero(~numbers.any(axis=1))
        if len(empty):
            raise UsageError(f"text {empty[0] + 1}, {texts[empty[0]]!r}, holds no word. Expected words with spaces.")
        known = (numbers > UNKNOWN).sum(axis=1).tolist()
        found = zip(self._predictions(numbers), texts, known, strict=True)
        return [one._replace(text=text, known_words=count) for one, text, count in found]

    def of_test(self, rows: np.ndarray) -> list[Prediction]:
        """Predictions for samples of the test part.

        Args:
            rows: ``int[k]`` their rows in it.

        Returns:
            One a row, with what is right.
        """
        x, y = self.test_samples(rows)
        if self.encoder is not None and self.dataset.raw is not None:
            predictions = self.of_texts(self.dataset.raw_inputs("test")[rows].tolist())
        else:
            predictions = self._predictions(x)
        names = self.dataset.class_names
        right = [names[label] if names else float(label) for label in y]
        found = zip(predictions, right, rows.tolist(), strict=True)
        return [one._replace(true=true, sample=row) for one, true, row in found]

    def test_samples(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of samples of the test part.

        Args:
            rows: ``int[k]`` their rows in it.

        Returns:
            ``[k, ...]`` and ``[k]``, as the model sees them.
        """
        return some(self.dataset.test, rows)

    def wrong_rows(self) -> np.ndarray:
        """The rows of the test part for which another class is predicted than is right.

        Returns:
            ``int[k]``, sorted.

        Raises:
            UsageError: If the data have no classes.
        """
        if not self.dataset.class_names:
            raise UsageError(f"{self.spec.dataset} is a regression: none of its predictions is right or wrong.")
        x, y = whole(self.dataset.test)[:2]
        return np.flatnonzero(self._outputs(x).argmax(axis=1) != np.ravel(y))

    def _continued(self, text: str) -> str:
        """What most likely comes next, subword by subword."""
        numbers = np.concatenate([[_END], *self.encoder.encode([text])])
        length, start = self.dataset.input_shape[0], len(numbers)
        while len(numbers) < start + _SUBWORDS:
            logits = np.asarray(self.model(numbers[None, -length:], training=False))
            following = int(logits[0, -1].argmax())
            if following == _END:
                break
            numbers = np.append(numbers, following)
        return self.encoder.decode(numbers[start:])

    def _predictions(self, x: np.ndarray) -> Iterator[Prediction]:
        names = self.dataset.class_names
        for row in self._outputs(x):
            if not names:
                yield Prediction(float(row[0]), {})
            else:
                yield Prediction(names[row.argmax()], dict(zip(names, _softmax(row).tolist(), strict=True)))

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        """``float64[n, outputs]``: logits of the classes, or the value."""
        blocks = (x[start : start + _ROWS] for start in range(0, len(x), _ROWS))
        found = [np.asarray(self.model(block, training=False)).astype(np.float64) for block in blocks]
        return np.concatenate(found).reshape(len(x), -1)


def load_run(folder: Path, run_cache: RunCache) -> TrainedRun:
    """Builds the model of a run and gives it the weights of the checkpoint; trains nothing.

    Args:
        folder: The folder of the run.
        run_cache: Finds the data and builds the model.

    Returns:
        The run, with the weights at its target if it was reached, else with the last ones.

    Raises:
        UserError: If the folder holds no run, or its data, model or selector are gone or not what they were.
    """
    spec = settings_of(folder)
    dataset, trainer = run_cache.data_of(spec), run_cache.trainer(spec)
    encoder = dataset.encoder and _encoder(folder, dataset)
    train = dataset.train
    trainer.resume(folder / CHECKPOINT)
    if isinstance(train, Part):
        trainer.prepare(InMemoryFeed(Rows(train.x, train.y)))
    else:
        trainer.prepare(StreamingFeed(train, 1, trainer.engine.check_labels))
    at_target, samples = _weights(trainer, Target.parse(spec.target))
    return TrainedRun(spec, dataset, trainer.model, encoder, at_target, samples)


def evenly(count: int, rows: np.ndarray) -> np.ndarray:
    """Some of many rows, at even distances: tables are often sorted, and the first of them all of one class.

    Args:
        count: How many, at most.
        rows: ``int[n]``.

    Returns:
        ``int[k]``, the first and the last among them.

    Example:
        >>> evenly(3, np.array([1, 4, 5, 6, 9])).tolist()
        [1, 5, 9]
    """
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]


def _weights(trainer: Trainer, target: Target) -> tuple[bool, int]:
    """Puts the weights at the target into the model if it was reached; says which are in it, and after how much."""
    held = first_reached([target.met(results) for results in trainer.evaluations], HOLD)
    if held is None or trainer.weights_at_target is None:
        return False, trainer.counts["samples"]
    trainer.model.set_weights(trainer.weights_at_target)
    return True, int(trainer.evaluations[held]["samples"])


def _encoder(folder: Path, dataset: Dataset) -> Encoder | Subwords:
    if kept_text(folder / dataset.encoder.FILE) != dataset.encoder.stored():
        raise UserError(
            f"the vocabulary of the run in {folder} is not that which {dataset.name} gives now: its files, or how they"
            " are read, have changed. Train again."
        )
    return dataset.encoder


def _softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()
