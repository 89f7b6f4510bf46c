"""The API of runs, data, models, deployments and keys: what the console, the Python client and scripts use.

It is an application of FastAPI under `/api/v1`, in the service and on its port, but on a thread of its own: requests of
models never wait for it.
"""
