"""HTTP/1.1 on sockets: connections, their limits and their end. Parsing is llhttp's, by httptools."""
