"""A trained run as something to call: what its model puts out, evaluation, prediction."""
