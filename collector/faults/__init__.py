"""Finds faults: pure rules over one station's newest picture and its peers."""
