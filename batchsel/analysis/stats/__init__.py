"""Statistics: estimates with intervals, survival, significance. Knows no records."""
