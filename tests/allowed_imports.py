"""Which part of the package may import which."""

from __future__ import annotations

from collections.abc import Mapping

BASE = frozenset({"errors", "record", "durations", "printable", "sentences", "storage", "locations", "machine"})
"""What everybody may import; of each other, they import only `errors` and `record`."""
EDGES: Mapping[str, frozenset[str]] = {
    part: frozenset("" if target == "VERBS" else target for target in targets.split())
    for part, targets in {
        "errors": "",
        "record": "",
        "durations": "errors",
        "locations": "",
        "machine": "",
        "printable": "",
        "sentences": "record",
        "storage": "errors",
        "wrong_keys": "",
        "config": "wrong_keys",
        "contracts": "config",
        "progress": "contracts",
        "catalog": "contracts",
        "job_files": "catalog config contracts",
        "job_schema": "catalog config contracts job_files wrong_keys",
        "data": "catalog config contracts text wrong_keys",
        "onnx_graphs": "contracts",
        "imaging": "catalog contracts data",
        "text": "contracts",
        "recommendation": "catalog contracts data",
        "language": "catalog contracts data explanation text",
        "retrieval": "contracts data recommendation text",
        "tasks": "contracts data imaging language recommendation retrieval text",
        "training": "config contracts progress",
        "families": "catalog config contracts data imaging language onnx_graphs recommendation retrieval tasks text "
        "training",
        "runtimes": "catalog contracts imaging language",
        "optimization": "catalog config contracts data explanation imaging onnx_graphs runtimes",
        "explanation": "catalog contracts imaging onnx_graphs",
        "packaging": "catalog config contracts data explanation imaging onnx_graphs optimization runtimes tasks text",
        "registry": "contracts packaging",
        "serving": "catalog config contracts data explanation imaging packaging registry",
        "conformance": "serving",
        "references": "catalog config contracts data job_files packaging registry training",
        "comparison": "catalog config contracts job_files packaging progress references registry",
        "certifying": "catalog config contracts explanation optimization packaging serving",
        "flow": "catalog certifying config contracts comparison explanation job_files optimization packaging progress "
        "references registry training",
        "runs": "catalog config contracts comparison data flow job_files packaging registry",
        "drafts": "catalog contracts data job_files registry",
        "evals": "catalog contracts data language registry runs serving",
        "control": "catalog config contracts data drafts evals job_files job_schema packaging registry runs serving",
        "console": "serving",
        "client": "control data registry runs serving",
        "": "client flow job_files",
        "cli": "VERBS catalog config conformance console contracts control comparison data explanation flow imaging "
        "job_files optimization packaging registry runs serving",
        "__main__": "cli",
    }.items()
}
"""Part -> the parts that it may import beside itself and BASE; "" (VERBS) is glassworks/__init__.py."""
