"""Contents of a data-set card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CardFile:
    """A file that can be downloaded.

    Args:
        name: Relative path in the data folder.
        sha256: SHA-256 of its bytes, 64 hexadecimal digits; empty if only an MD5 is published.
        urls: Addresses, tried in this order.
        bytes: Size, reported before a download; None if unknown. The checksum decides.
        md5: MD5 of its bytes, 32 hexadecimal digits, or empty.

    Example:
        >>> CardFile("a.gz", "0" * 64, ("https://example.org/a.gz",)).name
        'a.gz'
    """

    name: str
    sha256: str
    urls: tuple[str, ...]
    bytes: int | None = None
    md5: str = ""


@dataclass(frozen=True)
class CardTarget:
    """A target and the reason for its threshold.

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
    """Number of samples of each part; number of documents where a sample is a piece of a document.

    Args:
        train: Samples to train on.
        validation: Samples split off the training data, for decisions.
        test: Samples to report results on; never used for training or tuning.

    Example:
        >>> Sizes(55000, 5000, 10000).total
        70000
    """

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """Number of samples of all parts together."""
        return self.train + self.validation + self.test


@dataclass(frozen=True)
class Defaults:
    """Default settings of runs on the data set.

    Args:
        model: Name of the model.
        optimizer: Name of the optimizer.
        learning_rate: Peak learning rate.
        batch_size: Samples per step.
        schedule: Learning-rate schedule in text form.
        budget: Passes after which a run ends.
        target: Level of the default target: ``"easy"``, ``"medium"`` or ``"hard"``.
        cut_padding: Cut batches of padded sequences to the longest sequence in them.
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
    """Everything known about a data set before its data are loaded.

    Args:
        name: Name of the data set, and of its file.
        title: Display name.
        task: ``"classification"``, ``"regression"`` or ``"language_model"``.
        story: Description and origin of the data.
        licence: Terms of use.
        citation: Reference to cite.
        homepage: Address of the official page.
        input_shape: Shape of one sample.
        sizes: Number of samples of each part.
        defaults: Default settings of runs.
        targets: Target of each level.
        class_names: Names of the classes; empty for regression.
        loader: Name of the module in `batchsel.data.sets`, or of the entry point in the group
            ``batchsel.datasets``, that loads the data; by default the name of the card.
        files: Files to download; empty if the data come with a package or are computed.
        content: SHA-256 of arrays, whatever file they came in; the loader defines the names.
        options: Parameters of the loader.
        folder: Folder of the files below the data folder; by default the name of the card.
        by_hand: Instructions for data that cannot be downloaded freely.

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
