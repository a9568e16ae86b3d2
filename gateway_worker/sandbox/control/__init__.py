"""The sandbox from another process: an HTTP API on loopback and its typed client.

`models` are the bodies, shared by both ends; `server` answers (`phones_api` and `faults_api` hold
the routes, `problems` the errors); `client` asks. Nothing here can do what the Python API cannot.
"""
