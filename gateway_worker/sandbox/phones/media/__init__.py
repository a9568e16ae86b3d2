"""Files that a phone sends and gets: encrypted, uploaded, downloaded, checked and decrypted.

`kinds` says how each kind is sent, `cipher` seals and opens, `draft` is what a caller wants sent,
`composing` makes the message of it, `uploads` and `downloads` move the bytes, `attachment` reads
what a message announces. Bytes move in pieces; none of it holds a whole file in memory, except for
whoever asks for one.
"""
