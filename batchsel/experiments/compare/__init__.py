"""Arms on paired seeds: what an experiment is, and carrying it out."""
