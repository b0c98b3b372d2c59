"""All checks of a selector, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchsel.selectors import Selector, resolve
from batchsel.testing import plans, states
from batchsel.testing.failure import SelectorCheckError
from batchsel.testing.training import check_training

CHECKS: tuple[Callable[[Selector], None], ...] = (
    states.check_config,
    states.check_text_form,
    states.check_state,
    states.check_update,
    states.check_prepare,
    states.check_loss_weights,
    plans.check_plan_types,
    plans.check_plan_values,
    plans.check_repeatability,
    plans.check_training_losses,
    plans.check_choice,
    plans.check_modes,
)
"""Checks that need no model."""


def check_selector(selector: Any, *, random: bool | None = None, train: bool = True) -> None:
    """Check that a selector follows the protocol, as scikit-learn's `check_estimator` does for estimators.

    It checks that the selector is a frozen dataclass with a text form; that plans have the right types, indices in
    range, finite weights and no empty batch, at several sizes; that they are the same in eager, graph and XLA mode and
    when repeated; that `update` keeps shapes and ignores padding rows; and that a short training run is traced once,
    repeatable, and the same after a resume. Data have three classes and 1 to 300 samples.

    Args:
        selector: A name, a pipe in text, a selector object, or a function ``(losses, batch_size, rng) -> indices``.
        random: True if plans must differ from seed to seed, False if they must not; None accepts both.
        train: Whether to train with it, which takes most of the time.

    Raises:
        SelectorCheckError: At the first check that fails, with the problem and the remedy.
        UsageError: If `selector` is not a selector.

    Example:
        >>> import tensorflow as tf
        >>> from batchsel.testing import check_selector
        >>> check_selector("loss_ema | warmup(1)", train=False)
        >>> def beyond(losses, batch_size, rng):
        ...     return rng.permutation(losses.shape[0])[:batch_size] + 1
        >>> check_selector(beyond)
        Traceback (most recent call last):
        batchsel.testing.failure.SelectorCheckError: function(beyond, every=1) fails the check 'plan values': ...
    """
    resolved = resolve(selector)
    for check in CHECKS:
        _run(check, resolved)
    if random is not None:
        _run(lambda selector: plans.check_seeds(selector, random), resolved, "check_seeds")
    if train:
        _run(check_training, resolved)


def _run(check: Callable[[Selector], None], selector: Selector, name: str | None = None) -> None:
    try:
        check(selector)
    except SelectorCheckError:
        raise
    except Exception as error:
        title = (name or check.__name__).removeprefix("check_").replace("_", " ")
        raise SelectorCheckError(
            f"{selector!r} fails the check {title!r}: it raised {type(error).__name__}: {error}"
        ) from error
