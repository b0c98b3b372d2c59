"""Cards for data sets without one, such as user functions: defaults that suit most small tasks."""

from __future__ import annotations

from batchsel.cards.schema import DatasetCard, Defaults, Sizes


def default_card(
    name: str,
    task: str,
    input_shape: tuple[int, ...],
    sizes: Sizes,
    *,
    class_names: tuple[str, ...] = (),
    source: str = "",
    is_text: bool = False,
) -> DatasetCard:
    """Return a card with general defaults and no targets.

    Args:
        name: Name of the data set.
        task: ``"classification"``, ``"regression"`` or ``"language_model"``.
        input_shape: Shape of one sample. The default model is ``cnn`` if it has more than one axis, else ``mlp``;
            for language models it is ``tiny_lm``.
        sizes: Number of samples of each part.
        class_names: Names of the classes; empty for regression.
        source: Hash of the source of the data, or empty.
        is_text: True if samples are the numbers of words.

    Returns:
        The card; its `target` is None, so the user must give one.

    Example:
        >>> card = default_card("mine", "regression", (4,), Sizes(80, 10, 10))
        >>> card.defaults.model, card.target
        ('mlp', None)
    """
    batch_size = min(64, 1 << max(sizes.train // 8, 1).bit_length() - 1)  # at least eight steps per pass
    if task == "language_model":
        decay = "adamw(weight_decay=0.01, global_clipnorm=1.0)"
        defaults = Defaults("tiny_lm", decay, 3e-3, min(32, batch_size), "cosine | warmup(0.05)", 5.0, "")
    else:
        model = "text_cnn" if is_text else "mlp" if len(input_shape) == 1 else "cnn"
        defaults = Defaults(model, "adam", 1e-3, batch_size, "linear", 20.0, "")
    return DatasetCard(
        name=name,
        title=name,
        task=task,
        story="User data.",
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
