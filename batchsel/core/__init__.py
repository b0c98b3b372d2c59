"""Building blocks of all packages: registries, text forms, checks, random numbers, time and targets."""
