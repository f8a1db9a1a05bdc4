"""What people look at: statistics of batches, sheets of pictures, curves of metrics."""
