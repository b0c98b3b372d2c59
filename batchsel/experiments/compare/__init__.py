"""Arms on paired seeds: stating an experiment and running it."""
