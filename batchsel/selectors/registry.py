"""The names of all selectors and parts, without importing any of them."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass
from typing import Any

from batchsel._docstrings import docstring
from batchsel.errors import unknown_name

_GROUP = "batchsel.selectors"
_BUILT_IN = {
    "random": ("order", "random:Random"),
    "fixed": ("order", "fixed:Fixed"),
    "with_replacement": ("order", "with_replacement:WithReplacement"),
    "rs2": ("order", "rs2:RS2"),
    "growing": ("order", "growing:Growing"),
    "stratified": ("order", "stratified:Stratified"),
    "mapping": ("order", "mapping:Mapping"),
    "soft_keep": ("history", "soft_keep:soft_keep"),
    "loss_ema": ("history", "loss_ema:LossEMA"),
    "smart": ("history", "smart:smart"),
    "online_batch": ("history", "online_batch:online_batch"),
    "prioritised": ("history", "prioritised:prioritised"),
    "infobatch": ("history", "infobatch:infobatch"),
    "stale_backprop": ("history", "stale_backprop:stale_backprop"),
    "seta": ("history", "seta:seta"),
    "evolved_sampling": ("history", "evolved_sampling:evolved_sampling"),
    "memory_importance": ("history", "memory_importance:memory_importance"),
    "kakurenbo": ("history", "kakurenbo:Kakurenbo"),
    "ies": ("history", "ies:IES"),
    "repb": ("history", "repb:RePB"),
    "active_bias": ("history", "active_bias:active_bias"),
    "recency_bias": ("history", "recency_bias:recency_bias"),
    "ada_boundary": ("history", "ada_boundary:ada_boundary"),
    "forgetting": ("history", "forgetting:Forgetting"),
    "loss_threshold": ("history", "loss_threshold:loss_threshold"),
    "self_paced": ("history", "self_paced:self_paced"),
    "curriculum": ("history", "curriculum:curriculum"),
    "ordered_sgd": ("history", "ordered_sgd:OrderedSGD"),
    "candidates": ("candidates", "candidates:Candidates"),
    "rho_loss": ("candidates", "rho_loss:RHOLoss"),
    "small_proxy": ("candidates", "small_proxy:small_proxy"),
    "divbs": ("candidates", "divbs:DivBS"),
    "great": ("candidates", "great:GREAT"),
    "k_centre": ("candidates", "k_centre:KCentre"),
    "milo": ("candidates", "milo:MILO"),
    "importance_sampling": ("candidates", "importance_sampling:ImportanceSampling"),
    "selective_backprop": ("candidates", "selective_backprop:SelectiveBackprop"),
    "composer_backprop": ("candidates", "composer_backprop:ComposerBackprop"),
    "length_buckets": ("cost", "length_buckets:LengthBuckets"),
    "last_loss": ("score", "last_loss:LastLoss"),
    "gradient_ema": ("score", "gradient_ema:GradientEMA"),
    "evolved": ("score", "evolved:Evolved"),
    "prediction_variance": ("score", "prediction_variance:PredictionVariance"),
    "prediction_entropy": ("score", "prediction_entropy:PredictionEntropy"),
    "boundary": ("score", "boundary:Boundary"),
    "given": ("score", "given:Given"),
    "proxy_loss": ("score", "proxy_loss:ProxyLoss"),
    "warmup": ("modifier", "warmup:Warmup"),
    "anneal": ("modifier", "anneal:Anneal"),
    "mix": ("modifier", "mix:Mix"),
    "cap": ("modifier", "cap:Cap"),
    "coverage": ("modifier", "coverage:Coverage"),
    "gate": ("modifier", "gate:Gate"),
    "power": ("modifier", "power:Power"),
    "pressure": ("modifier", "pressure:Pressure"),
    "rank_pressure": ("modifier", "rank_pressure:RankPressure"),
    "rank_power": ("modifier", "rank_power:RankPower"),
    "percentile": ("modifier", "percentile:Percentile"),
    "keep_share": ("modifier", "keep_share:KeepShare"),
    "prune": ("modifier", "prune:Prune"),
    "thin": ("modifier", "thin:Thin"),
    "threshold": ("modifier", "threshold:Threshold"),
    "rising_limit": ("modifier", "rising_limit:RisingLimit"),
    "pacing": ("modifier", "pacing:Pacing"),
    "difficulty_window": ("modifier", "difficulty_window:DifficultyWindow"),
    "proportional": ("draw", "proportional:Proportional"),
    "explore_exploit": ("draw", "explore_exploit:ExploreExploit"),
    "weighted": ("draw", "weighted:Weighted"),
    "hardest": ("draw", "hardest:Hardest"),
    "keep": ("draw", "keep:Keep"),
    "reweigh": ("draw", "reweigh:Reweigh"),
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
