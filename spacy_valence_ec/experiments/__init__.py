"""Experiments: a plan of runs, each in a process of its own, their statistics and the report.

`plan` says what is run, `parts` on which narratives, `runner` starts the processes, `worker` is one
of them, `record` is what it leaves, and `report` puts the records together.
"""
