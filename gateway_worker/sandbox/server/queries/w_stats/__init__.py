"""Namespace `w:stats`: telemetry."""
