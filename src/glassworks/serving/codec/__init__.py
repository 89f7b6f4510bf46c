"""Tensors and JSON on the wire, read with bounded work."""
