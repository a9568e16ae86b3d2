"""User stories in which a worker goes and comes back: they share one gateway."""
