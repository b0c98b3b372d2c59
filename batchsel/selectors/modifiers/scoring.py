"""Cheaper scoring of pools: fewer bits, smaller pictures, a narrower model, fewer rows, fewer steps."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Annotated, Literal

from batchsel.core.parameters import Between, LayerName, PositiveShare
from batchsel.errors import UsageError
from batchsel.selectors.base import Part, Selector


@dataclass(frozen=True, repr=False)
class Scoring(Part):
    """The manner in which a selector scores pools or samples that it left out, where a full forward pass is too dear.

    Formula: with a pool of B rows, only in every `every`-th step, the ⌈prefilter · B⌉ rows of largest last loss, those
    without one first, and at least b, are scored; the forward pass computes in `dtype` and sees pictures whose sides
    are 1 / `shrink` as long, means over squares. Other steps train on the first b rows of their pool. With `proxy`, a
    copy of the model whose layers have that share of the units and filters scores in its place, and begins with weights
    of its own. Of every `proxy_every` batches that the model is trained on, the first is also a step of the proxy's
    training, by an optimizer with the same settings and at the same learning rate.
    With `cut`, the layers up to one, or up to a share of the forward pass, compute features in inference mode, and a
    head scores them: means over at most 4 x 4 places of pictures, or over the steps of sequences, and a copy of the
    last layer with weights. Each pool is a step of the head's training once it is scored; no layer of the model is
    trained by it. The chosen rows go through the first layers again when they are trained on, as augmented rows in
    training mode: no activation is used twice.
    Cost: a scored row counts as one, also in fewer bits or pixels; a record states what it cost in forward passes of
    the full model, and the rank correlation of the losses so computed with those of a full forward pass. With `proxy`,
    it counts as the share that the multiplications of the proxy are of those of the model, and a row that the proxy is
    trained on as three times that; with `cut` as that share of the layers up to there and of four times the head.
    Source: batchsel; MosaicML Composer's `SelectiveBackprop` scores smaller pictures (scale_factor) and by intervals;
    the proxy is that of airbench96_faster, K. Jordan, 2024, https://arxiv.org/abs/2404.00498; *Partial Forward
    Blocking*, 2025, https://arxiv.org/abs/2506.23674, scores at a cut too, by rare features in place of a head's
    losses, and goes on from the features of the chosen rows.

    Args:
        dtype: Precision of the forward pass: "bfloat16", "float16" or "float32"; "model" for that of the model.
        prefilter: Share of each pool that is scored, in (0, 1].
        shrink: Divisor of the sides of pictures, for models that accept pictures of any size.
        every: Steps from one scored pool to the next.
        proxy: Factor of the units and filters of the layers of a proxy, in (0, 1]; None to score by the model itself.
        proxy_every: Steps from one batch that the proxy is trained on to the next.
        cut: Name of the layer at which a head scores, or the share of the multiplications of a forward pass before it,
            in (0, 1); None for none.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.resolve("candidates(3) | score(dtype='bfloat16', prefilter=0.5)")
        candidates(pool=3, of='loss', take='top') | score(dtype='bfloat16', prefilter=0.5, shrink=1, every=1,
        proxy=None, proxy_every=4, cut=None)
    """

    name = "score"
    follows_selectors = True
    dtype: Literal["model", "bfloat16", "float16", "float32"] = "model"
    prefilter: PositiveShare = 1.0
    shrink: Annotated[int, Between(1, 64)] = 1
    every: Annotated[int, Between(1, 2**20)] = 1
    proxy: PositiveShare | None = None
    proxy_every: Annotated[int, Between(1, 2**20)] = 4
    cut: Annotated[float, Between(0, 1, lower_open=True, upper_open=True)] | LayerName | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if None not in (self.proxy, self.cut):
            raise UsageError(f"{self!r}: either a proxy or a cut scores. Leave out one of them.")

    @property
    def has_cheap_model(self) -> bool:
        """True if another model scores in place of the one that is trained: a proxy, or first layers with a head."""
        return (self.proxy, self.cut) != (None, None)

    def follow(self, selector: Part) -> Selector:
        """Return a selector that scores in this manner.

        Args:
            selector: One that scores pools, or samples that it left out.

        Raises:
            UsageError: If it does not score, or not in pools where this is about pools.
        """
        text = f"{selector!r} | {self!r}"
        has_pools = isinstance(selector, Selector) and type(selector).pool_size is not Selector.pool_size
        if not isinstance(selector, Selector) or not (has_pools or selector.scores_excluded):
            raise UsageError(
                f"{text}: {selector.name!r} scores nothing by an extra forward pass, so nothing can be saved. Leave out"
                f" {self.name!r}, or use a selector with pools, such as 'candidates'."
            )
        if not has_pools and (self.prefilter < 1 or self.every > 1 or self.has_cheap_model):
            raise UsageError(
                f"{text}: {selector.name!r} has no pools; prefilter, every, proxy and cut are about pools."
            )
        if selector.scoring is not None:
            raise UsageError(f"{text}: say once how to score.")
        cheaper = copy.copy(selector)
        object.__setattr__(cheaper, "scoring", self)
        return cheaper

    def rows(self, pool: int, batch_size: int) -> int:
        """Return the number of rows of a pool that are scored.

        Args:
            pool: B.
            batch_size: b.

        Example:
            >>> Scoring(prefilter=0.5).rows(96, 32), Scoring(prefilter=0.1).rows(96, 32)
            (48, 32)
        """
        return min(pool, max(batch_size, math.ceil(self.prefilter * pool - 1e-6)))
