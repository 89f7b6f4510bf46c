"""Building, exporting and rewriting ONNX graphs."""
