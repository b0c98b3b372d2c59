"""Changed training data for studies: subsamples, wrong labels, rare classes."""
