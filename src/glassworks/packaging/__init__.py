"""Packaging: the bundle, its archive, its card and the forms it is exported to."""
