"""The card of a data set that has none, such as a user's function: defaults that suit most small tasks."""

from __future__ import annotations

from batchsel.cards.schema import DatasetCard, Defaults, Sizes


def plain_card(
    name: str,
    task: str,
    input_shape: tuple[int, ...],
    sizes: Sizes,
    *,
    class_names: tuple[str, ...] = (),
    source: str = "",
) -> DatasetCard:
    """A card with general defaults and no targets.

    Args:
        name: Name of the data set.
        task: ``"classification"``, ``"regression"`` or ``"language_model"``.
        input_shape: Shape of one sample; with more than one axis the default model is ``cnn``, else ``mlp``; that of
            a language model is ``tiny_lm``.
        sizes: Samples of each part.
        class_names: Names of the classes; empty for regression.
        source: A hash of what the data are read from, or empty.

    Returns:
        The card; its `target` is None, so that the user has to give one.

    Example:
        >>> card = plain_card("mine", "regression", (4,), Sizes(80, 10, 10))
        >>> card.defaults.model, card.target
        ('mlp', None)
    """
    batch_size = min(64, 1 << max(sizes.train // 8, 1).bit_length() - 1)  # at least eight steps a pass
    if task == "language_model":
        decay = "adamw(weight_decay=0.01, global_clipnorm=1.0)"
        defaults = Defaults("tiny_lm", decay, 3e-3, min(32, batch_size), "cosine | warmup(0.05)", 5.0, "")
    else:
        model = "mlp" if len(input_shape) == 1 else "cnn"
        defaults = Defaults(model, "adam", 1e-3, batch_size, "linear", 20.0, "")
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
        defaults=defaults,
        targets={},
        class_names=class_names,
        loader=name,
        content={"source": source} if source else {},
        folder=name,
    )
