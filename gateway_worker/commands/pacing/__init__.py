"""How fast sessions send: what a message has to wait for before it is handed to WhatsApp.

`plan` makes one of what a backend has set and of the worker's own settings, `buckets` has the
arithmetic, `pace` is one command's way through it, and `pacer` asks: Redis, so that the next owner
of a session goes on where this one was, or this process while Redis does not answer.
"""
