"""The processes that hold the library: the fork server and one host per WhatsApp account.

`zygote` is the program. It imports everything once with `preload` standing in for the native
library, then forks. In the child `run` reads the first frame and hands over to `session`, the loop
that joins the library's events (`events`, through the `spool`) with the worker's frames.

Nothing outside this package imports it, and it imports no other part of the worker than
`whatsapp.ipc` and `whatsapp.convert`: what is imported here is in every host's memory.
"""
