"""What surrounds a run under the command: its folder, loggers, progress, checkpoints, signals and record."""
