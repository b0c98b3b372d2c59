"""The catalog of published methods, orders and controls: one file each."""
