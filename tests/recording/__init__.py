"""Records in a terminal how an account is linked and written with: `python -m tests.recording`.

`terminal` runs commands in one, `camera` reads the code that it shows, `story` says what is typed,
`picture` draws the last screen. The recording is `docs/first-message.cast`, which asciinema plays,
and README shows its picture; a test plays the story anew and compares.
"""
