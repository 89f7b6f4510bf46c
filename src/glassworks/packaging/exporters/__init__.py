"""Exporters: each file writes a bundle in a form that others can use without Glassworks."""
