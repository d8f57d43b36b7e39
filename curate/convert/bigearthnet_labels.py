"""The two nomenclatures of BigEarthNet: 43 classes of CORINE Land Cover, and the 19 that its authors recommend.

The 19 merge classes that one image cannot tell apart, and leave eleven out that hang on time, or on how land is used: of a
patch with no other label nothing is left.

References:
    Sumbul et al., BigEarthNet-MM, IEEE GRSM 2021, table 1, https://doi.org/10.1109/MGRS.2021.3089174
    (https://arxiv.org/abs/2105.07921)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MERGED: Mapping[str, tuple[str, ...]] = {
    "Urban fabric": ("Continuous urban fabric", "Discontinuous urban fabric"),
    "Industrial or commercial units": ("Industrial or commercial units",),
    "Arable land": ("Non-irrigated arable land", "Permanently irrigated land", "Rice fields"),
    "Permanent crops": (
        "Vineyards", "Fruit trees and berry plantations", "Olive groves", "Annual crops associated with permanent crops",
    ),
    "Pastures": ("Pastures",),
    "Complex cultivation patterns": ("Complex cultivation patterns",),
    "Land principally occupied by agriculture, with significant areas of natural vegetation": (
        "Land principally occupied by agriculture, with significant areas of natural vegetation",
    ),
    "Agro-forestry areas": ("Agro-forestry areas",),
    "Broad-leaved forest": ("Broad-leaved forest",),
    "Coniferous forest": ("Coniferous forest",),
    "Mixed forest": ("Mixed forest",),
    "Natural grassland and sparsely vegetated areas": ("Natural grassland", "Sparsely vegetated areas"),
    "Moors, heathland and sclerophyllous vegetation": ("Moors and heathland", "Sclerophyllous vegetation"),
    "Transitional woodland, shrub": ("Transitional woodland/shrub",),
    "Beaches, dunes, sands": ("Beaches, dunes, sands",),
    "Inland wetlands": ("Inland marshes", "Peatbogs"),
    "Coastal wetlands": ("Salt marshes", "Salines"),
    "Inland waters": ("Water courses", "Water bodies"),
    "Marine waters": ("Coastal lagoons", "Estuaries", "Sea and ocean"),
}  # fmt: skip
"""The 19 classes, with those of the 43 that each is made of."""
UNMERGED = (
    "Road and rail networks and associated land", "Port areas", "Airports", "Mineral extraction sites", "Dump sites",
    "Construction sites", "Green urban areas", "Sport and leisure facilities", "Bare rock", "Burnt areas", "Intertidal flats",
)  # fmt: skip
"""Those of the 43 that have no place among the 19."""
CLASSES_19 = tuple(MERGED)
CLASSES_43 = (*(fine for fines in MERGED.values() for fine in fines), *UNMERGED)
NOMENCLATURES = {19: CLASSES_19, 43: CLASSES_43}
_COARSE = {fine: coarse for coarse, fines in MERGED.items() for fine in fines}


def merge_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """The 19-class labels of 43-class ones, each once, in their order; none where all of them have no place there.

    Examples:
        >>> merge_labels(["Sea and ocean", "Estuaries", "Port areas"])
        ('Marine waters',)
    """
    return tuple(dict.fromkeys(_COARSE[label] for label in labels if label in _COARSE))
