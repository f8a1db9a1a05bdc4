"""Checks whether a machine is fit for training, and names the commands that fix its problems."""
