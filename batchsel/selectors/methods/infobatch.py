"""InfoBatch."""

from __future__ import annotations

from typing import Literal

from batchsel.core.parameters import Share, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.pruning import Prune
from batchsel.selectors.scores.last_loss import LastLoss


@checked
def infobatch(
    r: Share = 0.5, delta: Share = 0.875, threshold: Literal["mean"] | Share = "mean", rescale: bool = True
) -> Part:
    """Leave out a random share of the samples of low loss each pass, and give the others of low loss larger weights.

    Formula: ``last_loss | prune(r, threshold) | keep(rescale, until=delta)``: a sample whose last loss lies below the
    mean is left out with probability r; kept, it has the weight 1 / (1 − r). Of C epochs those with a number above δ C
    use all data with weight 1, as in the authors' code; see `keep` for budgets in samples.
    Cost: no state of its own, O(n) a pass, no extra forward pass. Unbiased over a pass with `rescale`. No sample is
    left out in the first epoch. Where 0.74 of the losses lie below their mean, a later epoch trains on 0.63 n samples;
    40 epochs, the first and the last phase included, on 27.4 n: `epochs=40` or ``--budget '40 epochs'`` costs 27.4
    passes, and ``'40 passes'`` hold 58 epochs.
    Source: Z. Qin et al., *InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning*, ICLR 2024,
    https://arxiv.org/abs/2303.04947; reported there: about 40 % of the cost saved on CIFAR and ImageNet without loss.
    A reproduction (junia3/InfoBatch) saved 30 to 36 % at 0.1 to 0.4 points less accuracy, without the control of a
    shorter baseline. The authors' code resets the weights for the last phase only if δ times the passes is a whole
    number; this always resets them. There the score is the training loss, label smoothing included; here losses are
    not smoothed, since smoothing hides differences of low losses: 1 to 2 % of the samples are on the other side of the
    mean early in a run and 27 % at its end. There the share r of the samples of low loss is left out exactly, here each
    of them by itself.

    Args:
        r: Probability that a sample of low loss is left out, in [0, 1].
        delta: Share of the epochs after which all data are used, in [0, 1].
        threshold: "mean", or a quantile of the losses; lower losses are low.
        rescale: Whether kept samples of low loss have the weight 1 / (1 − r).

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> infobatch()
        last_loss | prune(share=0.5, below='mean') | keep(rescale=True, until=0.875)
    """
    return LastLoss() | Prune(r, threshold) | Keep(rescale, delta)


InfoBatch = infobatch
