"""The methods that users define, with their parameters."""

from __future__ import annotations

SIGNATURES = {
    "init": "init(self, n) or init(self, n, shapes)",
    "steps_per_plan": "steps_per_plan(self, n, batch_size)",
    "short_batch": "short_batch(self, n, batch_size)",
    "plan_is_pass": "plan_is_pass(self, n, batch_size)",
    "pool_size": "pool_size(self, batch_size)",
    "plan": "plan(self, state, context)",
    "choose": "choose(self, state, candidates, context)",
    "observe": "observe(self, state, candidates, context)",
    "loss_weights": "loss_weights(self, state, losses, valid, context)",
    "update": "update(self, state, stats, context)",
    "rescore": "rescore(self, state, stats, context)",
    "prepare": "prepare(self, state, train_auxiliary, seed)",
    "score": "score(self, state, context)",
    "modify": "modify(self, scores, context, state)",
    "draw": "draw(self, scores, context)",
    "active": "active(self, state, context)",
}
"""Methods of selectors and parts as users define them."""


def parameters_of(method: str) -> list[str]:
    """Return the names of the parameters of a method, the longest form of it.

    Args:
        method: Its name.

    Example:
        >>> parameters_of("plan"), parameters_of("init")
        (['state', 'context'], ['n', 'shapes'])
    """
    return SIGNATURES[method].rpartition("(self, ")[2].rstrip(")").split(", ")


def user_classes(kind: type) -> list[type]:
    """Return the classes that a class is made of and that were written outside of batchsel, itself first.

    Args:
        kind: A class of a selector or a part.
    """
    return [one for one in kind.__mro__ if one is not object and one.__module__.partition(".")[0] != "batchsel"]


def protocol_class(kind: type) -> type:
    """Return the class of batchsel that a class is derived from.

    Args:
        kind: A class of a selector or a part.
    """
    return next(one for one in kind.__mro__ if one.__module__.partition(".")[0] == "batchsel")
