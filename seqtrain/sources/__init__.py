"""What samples exist: one file for each kind of storage. Importing the package registers them all."""

from seqtrain.sources import arrays as arrays
from seqtrain.sources import csv_pixels as csv_pixels
from seqtrain.sources import ratings as ratings
from seqtrain.sources import synthetic_sum as synthetic_sum
