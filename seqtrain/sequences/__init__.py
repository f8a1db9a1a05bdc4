"""Sequences, which make batches from samples: one file per kind. Importing the package registers them."""

from seqtrain.sequences import arrays as arrays
from seqtrain.sequences import augmented_image as augmented_image
from seqtrain.sequences import autoencoder as autoencoder
from seqtrain.sequences import image as image
from seqtrain.sequences import image_mask as image_mask
from seqtrain.sequences import image_pairs as image_pairs
from seqtrain.sequences import image_triplets as image_triplets
from seqtrain.sequences import ratings as ratings
from seqtrain.sequences import table as table
from seqtrain.sequences import volume as volume
from seqtrain.sequences import volume_patches as volume_patches
from seqtrain.sequences import windows as windows
