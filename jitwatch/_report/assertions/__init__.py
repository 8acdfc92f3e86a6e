"""Failures of tests, and a test session, as text."""
