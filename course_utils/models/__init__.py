"""The course's networks, one file each, written to be read beside the paper's figure."""

from course_utils.models.linear_autoencoder import linear_autoencoder

__all__ = ["linear_autoencoder"]
