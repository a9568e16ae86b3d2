"""Simulated phones: device 0 of an account, with real Signal sessions, scripted from outside.

`Phone` is what tests and the control API hold. It links companions (`qr`, `pair_code`, `adv`),
writes (`outgoing`, `content`), reads and answers receipts (`incoming`), keeps what it saw
(`event_log`, `values`) and follows scripts (`scripts`). It meets the service only through the
Protocols of `gateway_worker.sandbox.service.interface`.
"""
