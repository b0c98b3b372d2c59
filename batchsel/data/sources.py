"""Sources of samples, under the names that data sets use: see `batchsel.core.sources`."""

from batchsel.core.sources import ArraySource, SequenceSource, Source, Subset, as_source, source_of

__all__ = ["ArraySource", "SequenceSource", "Source", "Subset", "as_source", "source_of"]
