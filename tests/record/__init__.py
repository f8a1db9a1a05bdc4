"""What the program does, as one JSON document: to show that a change of its code changes nothing of what it does.

`python -m tests.record write` runs the command line in many ways and keeps what came of it, as JSON in gzip; `python -m
tests.record compare` does the same again and prints what differs from what was kept. It calls the command line alone,
so it runs on any version of the code; it takes about 12 minutes on two cores.

- `help`: the help of every command.
- `lists`: `list` and `config schema`.
- `configs`: each config in `configs/`, resolved, and what `check` and `check --data` say of it.
- `batches`: each config's batches in the epochs 0 and 1, and those that validate: digests of every array.
- `fit`: two epochs of each config: the digest of the weights, the history and the files of the run folder; then what
  `evaluate`, `predict` and `runs` make of the run.
- `init`: the configs that are written for the sample data.
- `broken`: configs, tables, images, masks and volumes that are wrong, listed in `broken.yaml`: the exit code, the
  document and the words.

Paths are replaced by `<work>`, times and speeds are left out. Weights depend on the processor and on the versions of
Keras and TensorFlow, which stand at the head of the record; `compare` says so where they differ.
"""
