"""The networks whose features and classes samples are compared by, found by name."""
