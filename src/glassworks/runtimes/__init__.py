"""Runtimes: each file opens an artifact in one engine and runs it."""
