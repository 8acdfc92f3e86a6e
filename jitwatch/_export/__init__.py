"""Numbers for the tools that draw them over time."""
