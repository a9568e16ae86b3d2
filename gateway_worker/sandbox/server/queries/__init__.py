"""What companions may ask of the service: one module per request, in one folder per namespace.

A module lists its `ANSWERS`; being there is all it takes. What no module answers is refused with
501, for a client waits 75 s for silence.
"""
