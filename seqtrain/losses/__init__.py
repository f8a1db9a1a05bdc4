"""Losses that Keras does not have, by name, one idea a file.

A builder returns a loss of Keras, or a function of targets and predictions; it imports Keras when it is called.
"""
