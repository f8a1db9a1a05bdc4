"""How samples become batches: one file for each kind. Importing the package registers them all."""

from seqtrain.sequences import arrays as arrays
from seqtrain.sequences import ratings as ratings
