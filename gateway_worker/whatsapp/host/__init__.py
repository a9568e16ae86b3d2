"""The processes that hold the library: the fork server and one host per WhatsApp account.

`zygote` is the program. It imports everything once with `preload` standing in for the native
library, then forks. In the child `run` reads the first frame and hands over to `session`, the loop
that joins the library's events (`library_callbacks`; what arrives goes through the `spool` and is
told as `arriving` says) with the worker's frames.

Nothing outside this package imports it, and it imports no other part of the worker than
`host_protocol`, `whatsapp.ipc` and `whatsapp.convert`: what is imported here is in the memory of
every host.
"""
