"""What the gateway has stored, as backends ask for it.

`reading` makes pages of it, out of what a `HistoryStore` finds; `pages` keeps them below a size,
and `device_names` looks up what people call themselves.
"""
