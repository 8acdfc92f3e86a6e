"""Runs a program as python would, watched, and writes its files at the end; also for the processes it starts."""
