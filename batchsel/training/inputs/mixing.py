"""Which selectors samples that are mixed of two would mislead: those that go by the losses of training."""

from __future__ import annotations

from batchsel.errors import UserError
from batchsel.selectors import Selector
from batchsel.transforms.augmentation import Pipeline


def check_mixing(augmentation: Pipeline | None, selector: Selector) -> None:
    """Makes sure that a selector does not take the losses of mixed samples for those of single ones.

    Args:
        augmentation: What changes the samples, or None.
        selector: The selector.

    Raises:
        UserError: If the samples are mixed, and the selector goes by what training finds out about them.

    Example:
        >>> from batchsel import augmentation, selectors
        >>> check_mixing(augmentation.resolve("flip | mixup"), selectors.resolve("random"))
        >>> check_mixing(augmentation.resolve("flip | mixup"), selectors.resolve("loss_ema"))
        Traceback (most recent call last):
        batchsel.errors.UserError: mixup(alpha=0.2, chance=1.0) mixes two samples, whose common loss says little of ...
    """
    mixers = () if augmentation is None else augmentation.mixers
    if mixers and (selector.uses_training_losses or selector.weighs):
        raise UserError(
            f"{' and '.join(map(repr, mixers))} mixes two samples, whose common loss says little of either, but the"
            f" selector {selector!r} goes by the losses of training. Leave the mixing out, or take a selector that does"
            " not: 'random', or one that scores pools of plain samples, such as 'candidates'."
        )
