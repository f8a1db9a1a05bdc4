"""`python -m seqtrain` is `seqtrain`."""

from seqtrain.cli import main

main()
