"""Predictions of the model of a run, built as the run built it, with the weights that the run left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.core.target import HOLD, Target, first_reached
from batchsel.data import Dataset, Split
from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder
from batchsel.data.encoding.subwords import SubwordEncoder
from batchsel.data.encoding.vocabulary import PADDING, UNKNOWN, WordEncoder
from batchsel.errors import UsageError, UserError
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.run.run_folder import CHECKPOINT, check_unchanged, read_settings, read_text
from batchsel.experiments.spec.dataset_lookup import load_arrays, take_samples
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.training.checkpoint_meta import read_run
from batchsel.training.inputs.batch import Samples
from batchsel.training.loop.data_feed import InMemoryFeed, StreamingFeed
from batchsel.training.trainer import Trainer

_ROWS = 256
"""Per forward pass."""
_MAX_SUBWORDS = 40
"""Of the continuation that a language model predicts."""
_END = 0
_PIXEL = re.compile(r"pixel_(\d+)_(\d+)")


class Prediction(NamedTuple):
    """Prediction for one sample.

    Example:
        >>> Prediction("yes", {"no": 0.2, "yes": 0.8}, true="no").wrong
        True
    """

    predicted: str | float
    """Name of the most likely class, or the value; of a language model, the continuation of the text."""
    probabilities: dict[str, float]
    """Probability of each class by its name; empty for a regression."""
    true: str | float | None = None
    """True class or value, if it is known."""
    sample: int | None = None
    """Row in the test part, if the sample is from there."""
    text: str | None = None
    """The text, if the sample is one."""
    known_words: int | None = None
    """Number of words of the text that are in the vocabulary of the run."""

    @property
    def wrong(self) -> bool:
        """True if another class is the true one."""
        return self.true is not None and bool(self.probabilities) and self.predicted != self.true


@dataclass(frozen=True)
class TrainedRun:
    """Model of a run and its data.

    Args:
        spec: The settings of the run.
        dataset: Its data.
        model: The model with its weights.
        encoder: Encoder of texts as in the run; None for other data.
        at_target: Whether the weights are those at the target; if not, the last ones.
        samples: Samples that the weights were trained on.
    """

    spec: RunSpec
    dataset: Dataset
    model: Any
    encoder: WordEncoder | PaddedSubwordEncoder | SubwordEncoder | None
    at_target: bool
    samples: int

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """Height, width and channels if the inputs are images, or a table of features ``pixel_ROW_COLUMN``."""
        if len(self.dataset.input_shape) == 3:
            return self.dataset.input_shape
        pixels = [match for name in self.dataset.feature_names if (match := _PIXEL.fullmatch(name))]
        if not pixels or len(pixels) < len(self.dataset.feature_names):
            return None
        height, width = (1 + max(int(pixel[axis]) for pixel in pixels) for axis in (1, 2))
        return (height, width, 1) if height * width == len(pixels) else None

    def predict_texts(self, texts: Sequence[str]) -> list[Prediction]:
        """Return one prediction for each of a user's texts.

        Raises:
            UsageError: If the run was not trained on texts, or one of them holds no word.
        """
        if isinstance(self.encoder, SubwordEncoder):
            return [Prediction(self._continue(text, self.encoder), {}, text=text) for text in texts]
        if self.encoder is None:
            raise UsageError(f"{self.spec.dataset} has no texts: predictions are made for samples of its test part.")
        rows = self.encoder.encode(texts)
        empty = np.flatnonzero(~rows.any(axis=1))
        if len(empty):
            raise UsageError(f"text {empty[0] + 1}, {texts[empty[0]]!r}, holds no word. Expected words with spaces.")
        known = (rows > (UNKNOWN if isinstance(self.encoder, WordEncoder) else PADDING)).sum(axis=1).tolist()
        predictions = zip(self._predict(rows), texts, known, strict=True)
        return [one._replace(text=text, known_words=count) for one, text, count in predictions]

    def predict_test(self, rows: np.ndarray) -> list[Prediction]:
        """Return predictions for samples of the test part, with what is true.

        Args:
            rows: ``int[k]`` their rows in it.
        """
        x, y = self.test_samples(rows)
        if self.encoder is not None and self.dataset.raw is not None:
            predictions = self.predict_texts(self.dataset.raw_inputs("test")[rows].tolist())
        else:
            predictions = list(self._predict(x))
        names = self.dataset.class_names
        truth = [names[label] if names else float(label) for label in y]
        return [
            one._replace(true=true, sample=row)
            for one, true, row in zip(predictions, truth, rows.tolist(), strict=True)
        ]

    def test_samples(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and targets of samples of the test part, ``[k, ...]`` and ``[k]``.

        Args:
            rows: ``int[k]`` their rows in it.
        """
        return take_samples(self.dataset.test, rows)

    def wrong_rows(self) -> np.ndarray:
        """Return the rows of the test part whose predicted class is wrong, ``int[k]``, sorted.

        Raises:
            UsageError: If the data have no classes.
        """
        if not self.dataset.class_names:
            raise UsageError(f"{self.spec.dataset} is a regression: its predictions are neither right nor wrong.")
        x, y = load_arrays(self.dataset.test)[:2]
        return np.flatnonzero(self._outputs(x).argmax(axis=1) != np.ravel(y))

    def _continue(self, text: str, encoder: SubwordEncoder) -> str:
        """Return the most likely continuation, subword by subword."""
        tokens = np.concatenate([[_END], *encoder.encode([text])])
        length, start = self.dataset.input_shape[0], len(tokens)
        while len(tokens) < start + _MAX_SUBWORDS:
            logits = np.asarray(self.model(tokens[None, -length:], training=False))
            following = int(logits[0, -1].argmax())
            if following == _END:
                break
            tokens = np.append(tokens, following)
        return encoder.decode(tokens[start:])

    def _predict(self, x: np.ndarray) -> Iterator[Prediction]:
        names = self.dataset.class_names
        for row in self._outputs(x):
            if not names:
                yield Prediction(float(row[0]), {})
            else:
                yield Prediction(names[row.argmax()], dict(zip(names, _softmax(row).tolist(), strict=True)))

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        """Return logits of the classes, or the value, ``float64[n, outputs]``."""
        blocks = (x[start : start + _ROWS] for start in range(0, len(x), _ROWS))
        outputs = [np.asarray(self.model(block, training=False)).astype(np.float64) for block in blocks]
        return np.concatenate(outputs).reshape(len(x), -1)


def load_run(folder: Path, run_cache: RunCache) -> TrainedRun:
    """Build the model of a run and load the weights of its checkpoint; train nothing.

    Args:
        folder: The folder of the run.
        run_cache: Cache that loads the data and builds the model.

    Returns:
        The run, with the weights at its target if it was reached, else with the last ones.

    Raises:
        UserError: If the folder holds no run, or its data, model or selector are gone or have changed.
    """
    spec = read_settings(folder)
    check_unchanged(folder, spec, read_run(folder / CHECKPOINT).meta)
    dataset, trainer = run_cache.dataset(spec), run_cache.trainer(spec)
    if dataset.encoder is not None:
        _check_vocabulary(folder, dataset.name, dataset.encoder)
    train = dataset.train
    trainer.resume(folder / CHECKPOINT)
    if isinstance(train, Split):
        trainer.prepare(InMemoryFeed(Samples(train.x, train.y)))
    else:
        trainer.prepare(StreamingFeed(train, 1, trainer.engine.check_labels))
    at_target, samples = _load_weights(trainer, Target.parse(spec.target))
    return TrainedRun(spec, dataset, trainer.model, dataset.encoder, at_target, samples)


def take_evenly(count: int, rows: np.ndarray) -> np.ndarray:
    """Return some of many rows at even distances: tables are often sorted, the first rows all of one class.

    Args:
        count: Maximum number.
        rows: ``int[n]``.

    Returns:
        ``int[k]``, including the first and the last.

    Example:
        >>> take_evenly(3, np.array([1, 4, 5, 6, 9])).tolist()
        [1, 5, 9]
    """
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]


def _load_weights(trainer: Trainer, target: Target) -> tuple[bool, int]:
    """Load the weights at the target if it was reached; return whether it was, and the samples trained on."""
    for results in trainer.evaluations[:1]:
        target.check(results)
    held = first_reached([target.is_met_by(results) for results in trainer.evaluations], HOLD)
    if held is None or trainer.weights_at_target is None:
        return False, trainer.counts["samples"]
    trainer.model.set_weights(trainer.weights_at_target)
    return True, int(trainer.evaluations[held]["samples"])


def _check_vocabulary(folder: Path, name: str, encoder: WordEncoder | PaddedSubwordEncoder | SubwordEncoder) -> None:
    if read_text(folder / encoder.FILE) != encoder.serialize():
        raise UserError(
            f"the vocabulary of the run in {folder} differs from the present one of {name}: its files, or how"
            " they are read, have changed. Train again."
        )


def _softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()
