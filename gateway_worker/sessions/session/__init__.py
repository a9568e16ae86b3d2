"""One session: facade, state machine, supervision of its host, what the host reports."""
