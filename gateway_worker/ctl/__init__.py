"""`gateway-worker ctl`: what whoever runs the gateway looks at and sets right while it works.

`command` has the words and the exit codes; `backends` makes the queues of backends, `dead` looks
after the dead letters, `reopening` has those that are replayed executed, `fleet` shows workers and
sessions, `snapshots` seals the copies of device stores under a new key, `output` prints. Everything
goes straight to the services with the worker's own settings: no worker need be running.
"""

from gateway_worker.ctl.command import add_arguments, main

__all__ = ["add_arguments", "main"]
