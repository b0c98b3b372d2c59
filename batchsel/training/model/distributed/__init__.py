"""Training of one model on several devices of a host, each of which takes its share of every batch."""

from batchsel.training.model.distributed.scope import device_scope

__all__ = ["device_scope"]
