"""Who runs which session, while workers come, die and leave.

`lease` keeps this worker's right to run hosts, `takeover` takes up what dead workers leave behind,
`routing` brings their commands along, `control` is what workers tell each other.
"""
