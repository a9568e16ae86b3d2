"""User stories in which sessions move between two workers: they share these."""
