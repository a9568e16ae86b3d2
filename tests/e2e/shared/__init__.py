"""User stories that leave a gateway as it was: they share one."""
