"""Who runs which session, while workers come, die and leave.

`registry` has the sessions that are here, `directory` knows whose the others are. `manager` begins
with sessions and `departures` lets go of them; `rebinding` brings their commands along. `lease`
keeps this worker's right to run hosts, `takeover` takes up what dead workers leave, `drain` gives
away what a leaving one has.
"""
