"""Bytes to requests and back, one module a protocol."""
