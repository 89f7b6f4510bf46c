"""The certificate: what was measured of each limit, what these data prove of it, and how."""
