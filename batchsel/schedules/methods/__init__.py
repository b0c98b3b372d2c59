"""The catalogue of schedules."""
