"""Sources, which list the samples of a data set: one file per kind of storage. Importing the package registers them."""

from seqtrain.sources import arrays as arrays
from seqtrain.sources import coco_masks as coco_masks
from seqtrain.sources import csv_pixels as csv_pixels
from seqtrain.sources import encoded_masks as encoded_masks
from seqtrain.sources import hdf5 as hdf5
from seqtrain.sources import image_folder as image_folder
from seqtrain.sources import image_manifest as image_manifest
from seqtrain.sources import image_mask as image_mask
from seqtrain.sources import images as images
from seqtrain.sources import mask_folders as mask_folders
from seqtrain.sources import pair_manifest as pair_manifest
from seqtrain.sources import ratings as ratings
from seqtrain.sources import series as series
from seqtrain.sources import synthetic_sum as synthetic_sum
from seqtrain.sources import table as table
from seqtrain.sources import volume_slices as volume_slices
from seqtrain.sources import volumes as volumes
