"""A curriculum by loss or by given difficulty."""

from __future__ import annotations

from typing import Literal

from batchsel.core.parameters import ArrayFile, PositiveShare, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.pacing import Pacing
from batchsel.selectors.scores.last_loss import LastLoss
from batchsel.selectors.scores.precomputed import PrecomputedScores


@checked
def curriculum(
    start: PositiveShare = 0.1,
    end: PositiveShare = 0.5,
    form: Literal["exponential", "linear", "step"] = "exponential",
    order: Literal["easy", "hard"] = "easy",
    difficulty: ArrayFile | None = None,
) -> Part:
    """Train on the easiest samples first, and add harder ones as training goes on.

    Formula: ``last_loss | pacing(start, end, form, order) | keep``, or ``given(difficulty) | ...``.
    Cost: O(n) a pass, no extra forward pass. Biased until progress `end`. Without given difficulties the first pass
    holds all samples, since their losses are not known yet.
    Source: G. Hacohen and D. Weinshall, *On The Power of Curriculum Learning in Training Deep Networks*, ICML 2019,
    https://arxiv.org/abs/1904.03626. X. Wu, E. Dyer and B. Neyshabur, *When Do Curricula Work?*, ICLR 2021, find
    curricula no better than a random order, except for short budgets and noisy labels; compare with `growing`.

    Args:
        start: Share of the data at the start, in (0, 1].
        end: Progress from which all data are in use, in (0, 1].
        form: "exponential" (geometric), "linear" or "step", as in `Pacing`.
        order: "easy" or "hard" first.
        difficulty: File of difficulties, as for `PrecomputedScores`; None for the last losses of the model itself.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> curriculum(order="hard")
        last_loss | pacing(start=0.1, end=0.5, form='exponential', order='hard') | keep(rescale=False, until=1.0)
    """
    score = LastLoss() if difficulty is None else PrecomputedScores(difficulty)
    return score | Pacing(start, end, form, order) | Keep()


Curriculum = curriculum
