"""The names of all selectors and parts of pipes.

A selector is one file in `methods`, a part one in `scores`, `modifiers` or `draws`. The lists below only sort them into
families for listing: a name that stands in none is found all the same and listed last.
"""

from __future__ import annotations

from batchsel.core.call_syntax import Call
from batchsel.core.registry import Registry
from batchsel.errors import UsageError

_FAMILIES = {
    "order": [
        "random",
        "fixed",
        "with_replacement",
        "rs2",
        "growing",
        "falling",
        "volume",
        "scheduled_subset",
        "stratified",
        "mapping",
    ],
    "history": [
        "auto",
        "soft_keep",
        "loss_ema",
        "batch_loss_score",
        "smart",
        "online_batch",
        "prioritised",
        "infobatch",
        "stale_backprop",
        "seta",
        "evolved_sampling",
        "memory_importance",
        "kakurenbo",
        "ies",
        "repb",
        "orderdp",
        "rcap",
        "active_bias",
        "recency_bias",
        "ada_boundary",
        "forgetting",
        "loss_threshold",
        "self_paced",
        "curriculum",
        "ordered_sgd",
    ],
    "candidates": [
        "candidates",
        "rho_loss",
        "small_proxy",
        "online_proxy",
        "divbs",
        "great",
        "k_centre",
        "milo",
        "importance_sampling",
        "selective_backprop",
        "composer_backprop",
    ],
    "cost": ["length_buckets"],
    "score": [
        "last_loss",
        "gradient_ema",
        "evolved",
        "prediction_variance",
        "prediction_entropy",
        "boundary",
        "given",
        "proxy_loss",
    ],
    "modifier": [
        "warmup",
        "anneal",
        "mix",
        "cap",
        "coverage",
        "gate",
        "power",
        "pressure",
        "rank_pressure",
        "rank_power",
        "percentile",
        "keep_share",
        "effective_share",
        "prune",
        "thin",
        "threshold",
        "rising_limit",
        "pacing",
        "difficulty_window",
    ],
    "scoring": ["score"],
    "draw": ["proportional", "explore_exploit", "weighted", "hardest", "keep", "reweigh"],
}
PLAN_VERSIONS = {
    "rs2": 2,
    "seta": 2,
    "difficulty_window": 2,
    "ies": 2,
    "active_bias": 2,
    "recency_bias": 2,
    "prediction_entropy": 2,
    "ada_boundary": 2,
    "boundary": 2,
    "ordered_sgd": 2,
    "composer_backprop": 2,
    "infobatch": 2,
    "repb": 2,
    "keep": 2,
    "soft_keep": 2,
}
"""Versions of the parts that plan other batches than they did when they were first recorded, for the same text.

Whoever changes the plans of a part raises its number here, so that runs recorded before are not taken for new ones.
"""
_ONLY_WITH_LAST_PHASE = {"keep": 1, "soft_keep": 2}
"""Parts whose plans have changed only where `until` is below 1, and the position of that parameter."""
REGISTRY = Registry(
    "selector",
    [f"{__package__}.{folder}" for folder in ("methods", "scores", "modifiers", "draws")],
    "batchsel.selectors",
    families=_FAMILIES,
    example="A selector is a name, or a pipe such as 'loss_ema(0.9) | warmup(1) | mix(uniform=0.1)'.",
    listing="batchsel selectors list",
)
"""Installed packages add theirs under the entry-point group ``batchsel.selectors``.

Example:
    >>> REGISTRY.find("smart").family
    'history'
"""


def plan_version(text: str) -> str:
    """Return the versions of the parts of a selector whose plans have changed.

    Args:
        text: The selector in text form; one that cannot be read has no version.

    Returns:
        As in "rs2 2"; empty if no plans have changed.

    Example:
        >>> plan_version("ies(0.01)"), plan_version("loss_ema | mix(0.2)"), plan_version("soft_keep(until=0.9)")
        ('ies 2', '', 'soft_keep 2')
    """
    try:
        names = dict.fromkeys(call.name for call in REGISTRY.parse_calls(text) if _may_have_changed(call))
    except UsageError:
        return ""
    return ", ".join(f"{name} {PLAN_VERSIONS[name]}" for name in names if name in PLAN_VERSIONS)


def _may_have_changed(call: Call) -> bool:
    if call.path is not None or call.name not in _ONLY_WITH_LAST_PHASE:
        return call.path is None
    place = _ONLY_WITH_LAST_PHASE[call.name]
    return call.keywords.get("until", (*call.arguments[place:], 1)[0]) != 1
