"""The course's networks, one file each, written to be read beside the paper's figure.

Each is `name(input_shape, num_classes, **sizes)`; the defaults are the paper's configuration. Pictures
in [0, 1] come in; classifiers give logits (B, K), segmenters logits (B, H, W, K) at the pictures' height
and width, autoencoders, which take no `num_classes`, pictures.
"""

from course_utils.models.alexnet import alexnet
from course_utils.models.attention_autoencoder import attention_autoencoder
from course_utils.models.conv_autoencoder import conv_autoencoder
from course_utils.models.deconvnet import deconvnet
from course_utils.models.deeplab_v1 import deeplab_v1
from course_utils.models.deeplab_v2 import deeplab_v2
from course_utils.models.deeplab_v3 import deeplab_v3
from course_utils.models.deeplab_v3plus import deeplab_v3plus
from course_utils.models.denoising_autoencoder import denoising_autoencoder
from course_utils.models.fast_scnn import fast_scnn
from course_utils.models.fcn import fcn
from course_utils.models.gan import gan
from course_utils.models.googlenet import googlenet
from course_utils.models.inception_autoencoder import inception_autoencoder
from course_utils.models.lenet5 import lenet5
from course_utils.models.linear_autoencoder import linear_autoencoder
from course_utils.models.maskformer import maskformer
from course_utils.models.resnet import resnet
from course_utils.models.segformer import segformer
from course_utils.models.segnet import segnet
from course_utils.models.sparse_autoencoder import sparse_autoencoder
from course_utils.models.stacked_autoencoder import pretrain_layers, stacked_autoencoder
from course_utils.models.unet import unet
from course_utils.models.variational_autoencoder import variational_autoencoder
from course_utils.models.vgg16 import vgg16
from course_utils.models.vit import vit

__all__ = [
    "alexnet", "attention_autoencoder", "conv_autoencoder", "deconvnet", "deeplab_v1", "deeplab_v2",
    "deeplab_v3", "deeplab_v3plus", "denoising_autoencoder", "fast_scnn", "fcn", "gan", "googlenet",
    "inception_autoencoder", "lenet5", "linear_autoencoder", "maskformer", "pretrain_layers", "resnet",
    "segformer", "segnet", "sparse_autoencoder", "stacked_autoencoder", "unet", "variational_autoencoder",
    "vgg16", "vit",
]  # fmt: skip
