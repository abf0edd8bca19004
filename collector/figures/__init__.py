"""Figures about faults and repairs: what the townships mend themselves, how fast, how often again. Only reads."""
