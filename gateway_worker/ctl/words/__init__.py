"""What can be said to `gateway-worker ctl`: names, arguments and help of its words.

These modules import typer and nothing else of weight, so that help and completion are there at
once; what a word does is imported when it is said.
"""
