"""Samples drawn without a trace, as bytes, and shared over ranks."""
