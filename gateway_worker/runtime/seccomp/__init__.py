"""System calls that a process gives up for good.

Landlock closes the disk; it knows neither datagrams nor most calls by which one process acts on
another one of its user. A filter is a program that the kernel runs for each call: it sees the
call's number and its arguments, but nothing that an argument points to.
"""
