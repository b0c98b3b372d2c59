"""The names of all selectors and parts, without importing any of them."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass
from typing import Any

from batchsel.core.docstrings import docstring
from batchsel.errors import unknown_name

_GROUP = "batchsel.selectors"
_BUILT_IN = {
    "random": ("order", "methods.random:Random"),
    "fixed": ("order", "methods.fixed:Fixed"),
    "with_replacement": ("order", "methods.with_replacement:WithReplacement"),
    "rs2": ("order", "methods.rs2:RS2"),
    "growing": ("order", "methods.growing:Growing"),
    "stratified": ("order", "methods.stratified:Stratified"),
    "mapping": ("order", "methods.data_map:DataMap"),
    "soft_keep": ("history", "methods.soft_keep:soft_keep"),
    "loss_ema": ("history", "scores.moving_averages:LossEMA"),
    "smart": ("history", "methods.smart:smart"),
    "online_batch": ("history", "methods.online_batch:online_batch"),
    "prioritised": ("history", "methods.prioritised:prioritised"),
    "infobatch": ("history", "methods.infobatch:infobatch"),
    "stale_backprop": ("history", "methods.stale_backprop:stale_backprop"),
    "seta": ("history", "methods.seta:seta"),
    "evolved_sampling": ("history", "methods.evolved_sampling:evolved_sampling"),
    "memory_importance": ("history", "methods.memory_importance:memory_importance"),
    "kakurenbo": ("history", "methods.kakurenbo:Kakurenbo"),
    "ies": ("history", "methods.ies:IES"),
    "repb": ("history", "methods.repb:RePB"),
    "active_bias": ("history", "methods.active_bias:active_bias"),
    "recency_bias": ("history", "methods.recency_bias:recency_bias"),
    "ada_boundary": ("history", "methods.ada_boundary:ada_boundary"),
    "forgetting": ("history", "methods.forgetting:Forgetting"),
    "loss_threshold": ("history", "methods.loss_threshold:loss_threshold"),
    "self_paced": ("history", "methods.self_paced:self_paced"),
    "curriculum": ("history", "methods.curriculum:curriculum"),
    "ordered_sgd": ("history", "methods.ordered_sgd:OrderedSGD"),
    "candidates": ("candidates", "methods.candidates:Candidates"),
    "rho_loss": ("candidates", "methods.rho_loss:RHOLoss"),
    "small_proxy": ("candidates", "methods.small_proxy:small_proxy"),
    "divbs": ("candidates", "methods.divbs:DivBS"),
    "great": ("candidates", "methods.great:GREAT"),
    "k_centre": ("candidates", "methods.k_centre:KCentre"),
    "milo": ("candidates", "methods.milo:MILO"),
    "importance_sampling": ("candidates", "methods.importance_sampling:ImportanceSampling"),
    "selective_backprop": ("candidates", "methods.selective_backprop:SelectiveBackprop"),
    "composer_backprop": ("candidates", "methods.composer_backprop:ComposerBackprop"),
    "length_buckets": ("cost", "methods.length_buckets:LengthBuckets"),
    "last_loss": ("score", "scores.last_loss:LastLoss"),
    "gradient_ema": ("score", "scores.moving_averages:GradientEMA"),
    "evolved": ("score", "scores.evolved:Evolved"),
    "prediction_variance": ("score", "scores.prediction_variance:PredictionVariance"),
    "prediction_entropy": ("score", "scores.prediction_entropy:PredictionEntropy"),
    "boundary": ("score", "scores.boundary:Boundary"),
    "given": ("score", "scores.precomputed:PrecomputedScores"),
    "proxy_loss": ("score", "scores.proxy_loss:ProxyLoss"),
    "warmup": ("modifier", "modifiers.blending:Warmup"),
    "anneal": ("modifier", "modifiers.blending:Anneal"),
    "mix": ("modifier", "modifiers.blending:Mix"),
    "cap": ("modifier", "modifiers.guards:Cap"),
    "coverage": ("modifier", "modifiers.guards:Coverage"),
    "gate": ("modifier", "modifiers.gate:Gate"),
    "power": ("modifier", "modifiers.powers:Power"),
    "pressure": ("modifier", "modifiers.pressures:Pressure"),
    "rank_pressure": ("modifier", "modifiers.pressures:RankPressure"),
    "rank_power": ("modifier", "modifiers.powers:RankPower"),
    "percentile": ("modifier", "modifiers.probabilities:Percentile"),
    "keep_share": ("modifier", "modifiers.probabilities:KeepShare"),
    "prune": ("modifier", "modifiers.pruning:Prune"),
    "thin": ("modifier", "modifiers.pruning:RandomDrop"),
    "threshold": ("modifier", "modifiers.pruning:Threshold"),
    "rising_limit": ("modifier", "modifiers.pruning:RisingLimit"),
    "pacing": ("modifier", "modifiers.pacing:Pacing"),
    "difficulty_window": ("modifier", "modifiers.difficulty_window:DifficultyWindow"),
    "proportional": ("draw", "draws.proportional:Proportional"),
    "explore_exploit": ("draw", "draws.explore_exploit:ExploreExploit"),
    "weighted": ("draw", "draws.weighted:Weighted"),
    "hardest": ("draw", "draws.hardest:Hardest"),
    "keep": ("draw", "draws.keep:Keep"),
    "reweigh": ("draw", "draws.reweigh:Reweigh"),
}


@dataclass(frozen=True)
class Entry:
    """One name that the text form knows.

    Args:
        name: The name.
        family: "order", "history", "candidates", "cost"; as a part of pipes "score", "modifier", "draw"; or "plugin".
        target: Where it is, as ``module:attribute``.

    Example:
        >>> find("smart").family
        'history'
    """

    name: str
    family: str
    target: str

    def load(self) -> Any:
        """Imports the class (or the function that composes it)."""
        module, attribute = self.target.split(":")
        return getattr(importlib.import_module(module), attribute)

    def doc(self) -> str:
        """Its docstring, read from the source, so that listing selectors imports no TensorFlow."""
        return docstring(self.target)


def entries() -> dict[str, Entry]:
    """All entries by name: those of batchsel and those that installed packages registered.

    Packages register under the entry-point group ``batchsel.selectors``.

    Example:
        >>> "random" in entries()
        True
    """
    known = {name: Entry(name, family, f"{__package__}.{target}") for name, (family, target) in _BUILT_IN.items()}
    for point in importlib.metadata.entry_points(group=_GROUP):
        known.setdefault(point.name, Entry(point.name, "plugin", point.value))
    return known


def find(name: str) -> Entry:
    """The entry of a name.

    Args:
        name: As in the text form.

    Raises:
        UsageError: If there is none, with the nearest names.

    Example:
        >>> find("rendom")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown selector 'rendom'. Did you mean 'random'? There are ...
    """
    known = entries()
    if name not in known:
        raise unknown_name("selector", name, known)
    return known[name]
