"""The card of a data set that has none, such as a user's function: defaults that suit most small tasks."""

from __future__ import annotations

from batchsel.cards.schema import DatasetCard, Defaults, Sizes


def plain_card(
    name: str, task: str, input_shape: tuple[int, ...], sizes: Sizes, *, class_names: tuple[str, ...] = ()
) -> DatasetCard:
    """A card with general defaults and no targets.

    Args:
        name: Name of the data set.
        task: ``"classification"`` or ``"regression"``.
        input_shape: Shape of one sample; with more than one axis the default model is ``cnn``, else ``mlp``.
        sizes: Samples of each part.
        class_names: Names of the classes; empty for regression.

    Returns:
        The card; its `target` is None, so that the user has to give one.

    Example:
        >>> card = plain_card("mine", "regression", (4,), Sizes(80, 10, 10))
        >>> card.defaults.model, card.target
        ('mlp', None)
    """
    model = "mlp" if len(input_shape) == 1 else "cnn"
    batch_size = min(64, 1 << max(sizes.train // 8, 1).bit_length() - 1)  # at least eight steps a pass
    return DatasetCard(
        name=name,
        title=name,
        task=task,
        story="Data of the user.",
        licence="not stated",
        citation="none",
        homepage="none",
        input_shape=input_shape,
        sizes=sizes,
        defaults=Defaults(model, "adam", 1e-3, batch_size, "linear", 20.0, ""),
        targets={},
        class_names=class_names,
        loader=name,
        folder=name,
    )
