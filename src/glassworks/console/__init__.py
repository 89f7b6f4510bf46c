"""The console: pages for people, a client of the API and of nothing else."""
