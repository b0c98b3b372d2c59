"""Reports: one HTML file, or tables as JSON and CSV."""
