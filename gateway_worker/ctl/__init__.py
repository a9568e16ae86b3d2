"""`gateway-worker ctl`: a backend, and an operator, by hand.

Most of its words speak only the contract, over RabbitMQ, as any backend does: `app` lists them,
`words` has a module for each family of them, and these import nothing but typer until they are
said. `asking` sends a command and shows its result, `building` makes commands out of words,
`following` shows what goes on, `showing` and `output` print, `speaking` connects.

What operators need beyond that goes straight to the services with the worker's own settings, and no
worker need be running: `backends` makes the queues of backends, `dead` looks after the dead
letters, `reopening` has those that are replayed executed, `fleet` shows workers and sessions as the
database has them, `snapshots` seals the copies of device stores under a new key, `disk` forgets one
that is lost; `operating` runs them.
"""
