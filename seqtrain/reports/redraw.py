"""Draws the curves of a run folder as a process of its own, of the lowest priority: `python -m ... RUN`.

So whoever trains goes on meanwhile: drawing takes a second of a processor that nobody else wants, and not the
interpreter that feeds the model.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from seqtrain.reports.curves import draw_run

if __name__ == "__main__":
    os.nice(19)
    draw_run(Path(sys.argv[1]))
