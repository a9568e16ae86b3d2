"""The library's protobuf messages as frames: pure, and without importing the library.

The messages are taken as they come (`Any`): what is read of them is in each function. Nothing here
raises over what a stranger wrote; what cannot be announced is skipped by returning None.
"""
