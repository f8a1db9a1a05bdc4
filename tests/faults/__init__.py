"""Injects every fault that a run must survive: `python -m tests.faults`."""
