"""From a checked config to a trained model and its run folder."""
