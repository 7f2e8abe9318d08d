"""The papers' tables as files that run, each beside the published numbers."""
