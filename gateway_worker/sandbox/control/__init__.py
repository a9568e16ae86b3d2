"""The sandbox from another process: an HTTP API on loopback and its typed client.

`abilities` are what can be asked, each with its operations; from them `routing` makes the routes
that `server` answers, and `generate` the client's `methods`. `models` are the bodies, which both
ends share, `problems` the errors. Nothing here can do what the Python API cannot.
"""
