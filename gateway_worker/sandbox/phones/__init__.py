"""Simulated phones: device 0 of an account, with real Signal sessions, scripted from outside.

`Phone` is what tests and the control API hold. It links companions (`qr`, `pair_code`), writes
(`writing`, `outgoing`, `content`), reads and answers receipts (`arrivals`, `incoming`), keeps what
it saw (`event_log`, `values`) and follows scripts (`scripts`, `script_runner`).
"""
