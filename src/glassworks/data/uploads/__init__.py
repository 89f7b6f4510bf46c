"""Data that people send: received in parts, unpacked safely, kept by their content."""
