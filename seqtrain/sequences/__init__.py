"""How samples become batches: one file a kind. Importing the package registers them."""

from seqtrain.sequences import arrays as arrays
from seqtrain.sequences import augmented_image as augmented_image
from seqtrain.sequences import image as image
from seqtrain.sequences import ratings as ratings
