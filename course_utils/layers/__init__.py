"""Layers that Keras does not have, each registered, each of them survives save and load."""

from course_utils.layers.atrous import AtrousSpatialPyramidPooling, GridAveragePooling2D
from course_utils.layers.attention import CrossAttention2D, PatchEmbedding, TransformerEncoderBlock
from course_utils.layers.noise import GaussianSample, MaskingNoise
from course_utils.layers.normalization import BatchNormalization, LocalResponseNormalization
from course_utils.layers.pooling import MaxPoolingWithIndices2D, MaxUnpooling2D
from course_utils.layers.queries import AddSinePositions2D, Queries
from course_utils.layers.squeeze_excite import SqueezeExcite
from course_utils.layers.upsampling import PixelShuffle2D, ResizeLike

__all__ = [
    "AddSinePositions2D", "AtrousSpatialPyramidPooling", "BatchNormalization", "CrossAttention2D",
    "GaussianSample", "GridAveragePooling2D", "LocalResponseNormalization", "MaskingNoise",
    "MaxPoolingWithIndices2D", "MaxUnpooling2D", "PatchEmbedding", "PixelShuffle2D", "Queries", "ResizeLike",
    "SqueezeExcite", "TransformerEncoderBlock",
]  # fmt: skip
