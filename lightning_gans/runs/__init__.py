"""Several seeds of one config: run what is missing, keep one line a finished run, report mean and standard deviation.

Below the folder ``out`` lie ``runs.jsonl`` (a line a finished run), and for every config ``HASH/config.yaml`` and
``HASH/seedN/`` with what the run itself leaves and what it printed (``log.txt``). All of it may be killed at any time:
what is not in ``runs.jsonl`` is run again, from its last checkpoint where there is one; a run that was trained to its end, and
not measured there, is only measured.
"""
