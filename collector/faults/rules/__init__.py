"""One file is one rule, exporting `RULE`. Rules are pure: they see one station's picture and the time, nothing else."""
