"""Connections: HTTP/1.1 with WebSockets, and gRPC."""
