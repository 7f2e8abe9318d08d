"""Counts of the modes and classes that samples fall into."""
