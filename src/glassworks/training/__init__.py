"""Training: one loop for every family that learns by gradient, its checkpoints and its machine."""
