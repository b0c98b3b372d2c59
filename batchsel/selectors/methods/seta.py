"""SeTa."""

from __future__ import annotations

from typing import Annotated

from batchsel.core.parameters import Between, PositiveShare, Share, ShareBelowOne, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.difficulty_window import DifficultyWindow
from batchsel.selectors.modifiers.pruning import RandomDrop
from batchsel.selectors.scores.last_loss import LastLoss


@checked
def seta(
    r: ShareBelowOne = 0.1,
    groups: Annotated[int, Between(1, 256)] = 10,
    alpha: PositiveShare = 0.7,
    delta: Share = 0.875,
) -> Part:
    """Slide a window over groups of similar loss from easy to hard, and leave out a random share.

    Formula: ``last_loss | difficulty_window(groups, alpha) | thin(r) | keep(until=delta)``.
    Cost: no state of its own, O(n log n) a pass, no extra forward pass. Biased toward each range of losses in turn.
    Source: *SeTa: scale efficient training*, CVPR 2025, https://arxiv.org/abs/2503.13385; reported there: up to half of
    the cost saved without loss of accuracy. There a pass
    leaves out an exact number of samples before it groups the others, and the last phase trains on a random share of
    1 − r. Here each sample is left out by itself, whichever its group, and the last phase holds all data, as for the
    other methods that prune; a share r of it is not saved.

    Args:
        r: Share left out at random, in [0, 1).
        groups: Groups of similar loss, from 1 to 256.
        alpha: Share of the groups in the window, in (0, 1].
        delta: Share of the epochs after which all data are used, in [0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> seta(groups=5)
        last_loss | difficulty_window(groups=5, width=0.7) | thin(share=0.1) | keep(rescale=False, until=0.875)
    """
    return LastLoss() | DifficultyWindow(groups, alpha) | RandomDrop(r) | Keep(until=delta)


SeTa = seta
