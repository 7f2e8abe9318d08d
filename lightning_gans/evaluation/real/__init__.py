"""The real images that samples are compared with, and the statistics of them that are kept."""
