"""Holds a recording against an earlier one, or against a budget. Pure."""
