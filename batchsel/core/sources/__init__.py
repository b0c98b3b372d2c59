"""Random access to samples: sample numbers in, arrays out, whatever form the data have."""

from batchsel.core.sources.forms import as_source, source_of
from batchsel.core.sources.source import ArraySource, SequenceSource, Source, Subset

__all__ = ["ArraySource", "SequenceSource", "Source", "Subset", "as_source", "source_of"]
