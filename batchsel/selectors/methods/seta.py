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
    groups: Annotated[int, Between(1, 4096)] = 10,
    alpha: PositiveShare = 0.7,
    delta: Share = 0.875,
) -> Part:
    """Slide a window over groups of similar loss from easy to hard, and leave out a random share.

    Formula: ``last_loss | difficulty_window(groups, alpha) | thin(r) | keep(until=delta)``.
    Cost: no state of its own, O(n · groups) a pass, no extra forward pass. Biased toward each range of losses in turn.
    Source: *SeTa: scale efficient training*, CVPR 2025, https://arxiv.org/abs/2503.13385; reported there: up to half of
    the cost saved without loss of accuracy. There the last phase trains on a random subset; here on all data.

    Args:
        r: Share left out at random, in [0, 1).
        groups: Groups of similar loss, at least 1.
        alpha: Share of the groups in the window, in (0, 1].
        delta: Progress from which all data are used, in [0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> seta(groups=5)
        last_loss | difficulty_window(groups=5, width=0.7) | thin(share=0.1) | keep(rescale=False, until=0.875)
    """
    return LastLoss() | DifficultyWindow(groups, alpha) | RandomDrop(r) | Keep(until=delta)


SeTa = seta
