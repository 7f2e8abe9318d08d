"""The papers' tables as files of data, which ``lightning table`` trains, fills in and shows beside the published numbers.

A table is one YAML file here. Its rows are configs with options, its columns are measures; ``lightning_gans.tables.table`` says
what may stand in it. Finished runs are lines of JSON: those that come with the package, and those of one's own.
"""
