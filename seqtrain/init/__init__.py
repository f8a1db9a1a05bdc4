"""Looks at a folder of data, says what it is, and writes a config that trains on it."""
