"""Namespace `w:sync:app:state`: what the devices of an account share."""
