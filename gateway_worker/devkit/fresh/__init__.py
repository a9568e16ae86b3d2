"""A bare Debian in a directory, where README's two commands are followed (`./dev fresh`).

What is shipped runs on other releases than a developer's machine, with another Python and another
broker. debootstrap makes the smallest root of a release; a copy of the checkout goes in, and then
`./dev demo` and `./dev test` have to install all that they need, as they would for a newcomer.

`machine` reads how this machine reaches its package archives, so that the root goes the same way
and the repository names none. `root` makes the directory and runs commands in it, inside namespaces
of their own: whatever ends those also ends their processes and their mounts.
"""
