"""Certifies a candidate as it is served: a real server on this machine, both models, requests in random turns."""

from __future__ import annotations

from glassworks.certifying.planned import planned as planned, search as search
from glassworks.certifying.served import Subject as Subject, certifier as certifier, certify as certify
