"""`seqtrain init`: recognises the kind of data in a folder, and writes a config that trains on it."""
