#!/usr/bin/env bash
# Each peer in an environment of its own under PEERS_HOME: their requirements exclude one another.
# Triton's wheel does not run with every CPython; name another interpreter in TRITON_PYTHON where it fails.
set -eu
root=${PEERS_HOME:-.peers}
make_env() { # name interpreter packages...
    local name=$1 python=$2
    shift 2
    test -x "$root/$name/bin/python" || "$python" -m venv "$root/$name"
    "$root/$name/bin/pip" install --quiet --disable-pip-version-check "$@" onnxruntime numpy
}
make_env kserve python3 "kserve==0.21.0"
make_env mlserver python3 "mlserver==1.7.1"
make_env bentoml python3 "bentoml==1.4.39"
make_env litserve python3 "litserve==0.2.19"
make_env rayserve python3 "ray[serve]==2.60.0"
make_env triton "${TRITON_PYTHON:-python3}" "nvidia-pytriton==0.7.0"
make_env bare python3 uvicorn uvloop httptools msgspec orjson
