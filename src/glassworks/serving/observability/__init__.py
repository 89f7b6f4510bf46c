"""Metrics, traces, the access log."""
