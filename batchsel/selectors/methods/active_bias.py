"""Active Bias."""

from __future__ import annotations

from typing import Literal

from batchsel.core.parameters import Amount, PositiveAmount, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.proportional import Proportional
from batchsel.selectors.draws.reweigh import Reweigh
from batchsel.selectors.modifiers.blending import MOST_WARMUP, Warmup
from batchsel.selectors.scores.prediction_variance import PredictionVariance


@checked
def active_bias(
    by: Literal["sampling", "weighing"] = "sampling", floor: PositiveAmount = 0.02, warmup: Amount = 10
) -> Part:
    """Emphasize samples whose prediction varies, by drawing them more often or by larger weights.

    Formula: ``prediction_variance(floor) | warmup(warmup, most=0.5) | proportional``, or ``... | reweigh``.
    Cost: three floats a sample, O(n) for each plan, no extra forward pass. Biased toward uncertain samples.
    Source: H.-S. Chang, E. Learned-Miller and A. McCallum, *Active Bias: Training More Accurate Neural Networks by
    Emphasizing High Variance Samples*, NIPS 2017, https://arxiv.org/abs/1704.07433: its SGD-SPV ("sampling") and
    SGD-WPV ("weighing"). Reported there: better accuracy; no claim about speed. The warmup of ten passes, out of a
    hundred, and the floor are those of the code of Recency Bias, which runs it too; in runs of less than twenty passes
    the warmup ends halfway. There weights are divided by their mean over a batch, here over all samples.

    Args:
        by: "sampling" or "weighing".
        floor: Added to every score, above 0.
        warmup: Passes of uniform draws first, but at most half of the budget: before a sample has been seen a few
            times, its variance says little.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> active_bias("weighing")
        prediction_variance(floor=0.02) | warmup(passes=10.0, most=0.5) | reweigh
    """
    kept = PredictionVariance(floor) | Warmup(warmup, MOST_WARMUP)
    return kept | (Proportional() if by == "sampling" else Reweigh())


ActiveBias = active_bias
