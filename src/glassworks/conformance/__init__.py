"""The public conformance suite: what a server of the Open Inference Protocol must do, checked over the wire."""
