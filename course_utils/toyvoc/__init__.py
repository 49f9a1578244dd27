"""Toy VOC: the generator of the drawn scenes in `data/toyvoc`."""

from course_utils.toyvoc.scenes import Box, contact_sheet, deal, digest, scene, write

__all__ = ["Box", "contact_sheet", "deal", "digest", "scene", "write"]
