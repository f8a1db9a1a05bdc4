"""What a machine gives a run, and the command that mends what is wrong."""
