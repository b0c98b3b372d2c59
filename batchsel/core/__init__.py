"""Building blocks of every package: text forms, registries, checks, random numbers, targets."""
