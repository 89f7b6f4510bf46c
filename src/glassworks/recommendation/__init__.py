"""What training and serving need of recommendation: scorers, items, rules, ranking, evaluation, feedback."""
