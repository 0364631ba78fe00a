"""Houses as a label map has them, in the boxes of their regions.

Role: boxes keep to the network's grid. Coordinates in picture widths. Knows nothing of land.
"""

from __future__ import annotations

import numpy as np

from models.scenes import buildings
from models.scenes.board import Board
from models.scenes.plan import Labels
from models.scenes.regions import HOUSE, regions


def standing(labels: Labels) -> list[buildings.Box]:
    """The boxes of all houses, the far before the near."""
    return [part.snapped() for part in regions(labels, HOUSE)]


def show_houses(board: Board, boxes: list[buildings.Box]) -> None:
    for box in boxes:
        buildings.paint_house(board, box, float(np.clip(0.5 - 1.3 * (box[3] - 0.35), 0, 0.5)))
