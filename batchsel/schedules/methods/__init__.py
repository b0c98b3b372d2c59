"""The catalog of schedules, one file each."""
