"""What ``lightning NAME`` does besides training: one file a command, each with ``main(args)``, found by its name."""
