"""Data sets in installed packages: each file here is one, such as `sample:digits`."""
