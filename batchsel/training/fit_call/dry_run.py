"""Check the selector of a user on the data and the model of a run, before anything is trained or timed."""

from __future__ import annotations

from typing import Any

from batchsel.selectors.base import is_user_code
from batchsel.training.engine import Engine
from batchsel.training.inputs.fit_data import validate_fit_data
from batchsel.training.loop.data_feed import InMemoryFeed, make_feed
from batchsel.training.loop.selector_check import check_first_plan

_BUFFER_BYTES = 1 << 26


def check_user_selector(engine: Engine, x: Any, y: Any = None) -> None:
    """Trace the methods of a user's selector and make its first plan; selectors of batchsel are not checked.

    Everything that is built here is used by the next call of fit with the same data.

    Args:
        engine: The engine of a trainer.
        x: Inputs, or data in any form that `Trainer.fit` takes.
        y: Targets; None where `x` holds them.

    Raises:
        UserError: If the data cannot be used, or the selector does not follow the protocol.
    """
    if not is_user_code(engine.selector):
        return
    samples, _ = validate_fit_data(x, y, None, None, None, 0.0, verbose=0)
    feed = make_feed(samples, _BUFFER_BYTES, engine.check_labels)
    loop = engine.prepare(feed)
    check_first_plan(loop, feed.data if isinstance(feed, InMemoryFeed) else None)
