"""How batches reach `fit`: their order, the workers that make them, and the dataset that Keras reads."""
