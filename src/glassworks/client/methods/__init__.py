"""All operations of the control API.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from glassworks.client.methods.data import DataMethods
from glassworks.client.methods.deployments import DeploymentsMethods
from glassworks.client.methods.jobs import JobsMethods
from glassworks.client.methods.keys import KeysMethods
from glassworks.client.methods.logs import LogsMethods
from glassworks.client.methods.models import ModelsMethods
from glassworks.client.methods.runs import RunsMethods
from glassworks.client.methods.session import SessionMethods
from glassworks.client.methods.statistics import StatisticsMethods
from glassworks.client.methods.status import StatusMethods
from glassworks.client.methods.usage import UsageMethods


class Methods(
    DataMethods,
    DeploymentsMethods,
    JobsMethods,
    KeysMethods,
    LogsMethods,
    ModelsMethods,
    RunsMethods,
    SessionMethods,
    StatisticsMethods,
    StatusMethods,
    UsageMethods,
):
    """One method for each operation."""
