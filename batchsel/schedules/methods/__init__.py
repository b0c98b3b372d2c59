"""The catalog of schedules."""
