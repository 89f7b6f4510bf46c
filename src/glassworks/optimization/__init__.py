"""Optimization: candidates are made by passes, measured on this machine, and chosen by a stated objective."""
