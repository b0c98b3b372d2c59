"""What a card says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CardFile:
    """A file that can be downloaded.

    Args:
        name: Its name in the data folder, a plain relative one.
        sha256: SHA-256 of its bytes, 64 hexadecimal digits.
        urls: Where it can be had, tried in this order.
        bytes: How large it is, to be told before a download; None if the card does not say. The SHA-256 decides.

    Example:
        >>> CardFile("a.gz", "0" * 64, ("https://example.org/a.gz",)).name
        'a.gz'
    """

    name: str
    sha256: str
    urls: tuple[str, ...]
    bytes: int | None = None


@dataclass(frozen=True)
class CardTarget:
    """A target and why it is where it is.

    Args:
        text: Metric and threshold, as in ``"accuracy>=0.91"``.
        reason: One or two sentences.

    Example:
        >>> CardTarget("accuracy>=0.91", "A small CNN gets there in a few passes.").text
        'accuracy>=0.91'
    """

    text: str
    reason: str


@dataclass(frozen=True)
class Sizes:
    """How many samples each part has; documents, where a sample is a piece of one.

    Args:
        train: Samples to train on.
        validation: Samples carved from the training data, to decide on.
        test: Samples to report on; never trained or tuned on.

    Example:
        >>> Sizes(55000, 5000, 10000).total
        70000
    """

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """Samples of all parts together."""
        return self.train + self.validation + self.test


@dataclass(frozen=True)
class Defaults:
    """How the data set is trained unless the user says otherwise.

    Args:
        model: Name of the model.
        optimizer: Name of the optimizer.
        learning_rate: Its peak learning rate.
        batch_size: Samples a step.
        schedule: Name of the learning-rate schedule.
        budget: Passes after which a run ends.
        target: Which of the three targets is meant: ``"easy"``, ``"medium"`` or ``"hard"``.
        cut_padding: Whether batches of padded sequences are cut to the longest in them.
        augment: Augmentations in text form; empty for none.

    Example:
        >>> Defaults("mlp", "adam", 1e-3, 32, "linear", 20.0, "medium").budget
        20.0
    """

    model: str
    optimizer: str
    learning_rate: float
    batch_size: int
    schedule: str
    budget: float
    target: str
    cut_padding: bool = False
    augment: str = ""


@dataclass(frozen=True)
class DatasetCard:
    """Everything that is known about a data set before its data are there.

    Args:
        name: Name of the data set, and of its file.
        title: Name in prose.
        task: ``"classification"``, ``"regression"`` or ``"language_model"``.
        story: What the data are and where they come from.
        licence: Under which terms they may be used.
        citation: How to cite them.
        homepage: Where they are at home.
        input_shape: Shape of one sample.
        sizes: Samples of each part.
        defaults: How to train on them.
        targets: The target of each level.
        class_names: Names of the classes; empty for regression.
        loader: Name of the module in `batchsel.data`, or of the entry point in the group
            ``batchsel.datasets``, that loads the data; the card's name unless given.
        files: What can be downloaded; empty where the data come with a package or are computed.
        content: SHA-256 of arrays, whatever file they came in; the loader says which names it looks at.
        options: Parameters of the loader.
        folder: Folder of the files below the data folder; the card's name unless it shares that of another set.
        by_hand: Which file to get where and how, for data that cannot be downloaded freely.

    Example:
        >>> from batchsel import cards
        >>> card = cards.load("datasets", "fashion_mnist")
        >>> card.sizes.train, card.input_shape, card.target
        (55000, (28, 28, 1), 'accuracy>=0.91')
    """

    name: str
    title: str
    task: str
    story: str
    licence: str
    citation: str
    homepage: str
    input_shape: tuple[int, ...]
    sizes: Sizes
    defaults: Defaults
    targets: Mapping[str, CardTarget]
    class_names: tuple[str, ...] = ()
    loader: str = ""
    files: tuple[CardFile, ...] = ()
    content: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    by_hand: str = ""

    @property
    def target(self) -> str | None:
        """The default target, as in ``"accuracy>=0.91"``; None for a card without targets."""
        level = self.targets.get(self.defaults.target)
        return level.text if level else None
