"""Dashboards of runs that are elsewhere: views of Weights & Biases, and sweeps that it deals out."""
