"""Output for people: statistics of batches, contact sheets of images, curves of metrics, tables, and HTML pages."""
