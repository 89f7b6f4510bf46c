"""Serving: an engine that knows no transport, a batcher, and the Open Inference Protocol over HTTP."""
