"""Evaluations that clients define and start over `/v1/evals`: graders, samples of served models, and what came out."""
