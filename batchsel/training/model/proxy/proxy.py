"""Proxy: a narrower copy of the model that scores pools, and is trained on some of the batches of the model."""

from __future__ import annotations

from batchsel.training.inputs.batch import Samples
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.model_builder import ModelBuilder
from batchsel.training.model.proxy.cheap_model import CheapModel, copy_with_plain_rate
from batchsel.training.model.proxy.forward_work import FORWARD_PASSES, forward_work
from batchsel.training.model.proxy.narrow_copy import copy_model

REMEDY = "Choose another way of scoring, such as score(dtype='bfloat16')"


class Proxy(CheapModel):
    """A narrower copy of a model, trained on the batch of every few steps before the model is."""

    def make(self, samples: Samples) -> tuple[TrainStep, float, float]:
        """Return its step, built, and the price of a row that is scored or trained on, in forward passes."""
        full = self._main.model
        width = 1.0 if self._scoring.proxy is None else self._scoring.proxy
        model = copy_model(full, width, REMEDY, copy_with_plain_rate)
        step = self._main.make_companion(model, self._signals, self._update_size, self._schedule, self._cut_padding)
        ModelBuilder(step, self._batch_size, None, None).build(samples)
        price = forward_work(model.layers) / max(forward_work(full.layers), 1)
        return step, price, FORWARD_PASSES * price
