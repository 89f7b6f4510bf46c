"""Kinds of runs, one file each."""
