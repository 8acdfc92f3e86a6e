"""Compares two keys, or two programs, and lists typed changes. Pure."""
