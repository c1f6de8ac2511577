"""The city's parameters: name, kind, and whether a ``use_…`` switch stands before it.

Written by hda/write.py out of CitySpec; change it there.
"""

PARMS = (
    ("seed", "int", False),
    ("storeys", "int", False),
    ("vehicles", "float", False),
    ("trees", "float", False),
    ("palette", "int", True),
    ("light", "menu", False),
    ("season", "menu", False),
    ("snow", "float", False),
    ("sun_azimuth", "float", False),
    ("sun_elevation", "float", False),
    ("haze", "float", False),
    ("clouds", "float", False),
    ("damage", "float", False),
    ("blast", "float", True),
    ("power", "float", False),
    ("offset", "menu", False),
    ("profile", "menu", False),
    ("camera", "menu", False),
    ("width", "int", True),
    ("height", "int", True),
    ("frames", "int", True),
    ("fps", "int", True),
    ("truth", "words", False),
    ("boxes", "flag", False),
)
