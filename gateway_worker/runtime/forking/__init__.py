"""Processes that are forked from a warm one, which has imported everything that they need.

worker (`client`) ──► fork server (`server`: one program for each kind) ──► process after process

A program calls `server.begin`, imports what its processes need, and calls `server.serve`. What the
two say to each other is in `host_protocol.forking`; `kernel` is what they ask of Linux, and
`kill_timer` what it does for a fork server that stands still.
"""
