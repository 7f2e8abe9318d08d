"""One HTML file of runs, to be sent to a colleague: tables, curves, pictures, films, and where each number comes from."""
