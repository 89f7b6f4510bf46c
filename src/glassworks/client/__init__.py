"""A typed client of the control API: `glassworks.Client`."""

from glassworks.client.client import Client as Client
from glassworks.client.transport import ServerEvent as ServerEvent
