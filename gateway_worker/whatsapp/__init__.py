"""WhatsApp: one process per account, forked from a process that has everything imported.

The worker's side is `launcher.HostProcesses`; it never imports neonize. `host/` runs in the other
processes and is the only importer of neonize. Between them, `ipc/` defines what is said. `convert/`
turns the library's protobuf messages into what is said, without importing the library.
"""
