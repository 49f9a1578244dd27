"""Writes numerics.npz: losses and metrics as other libraries compute them.

    pip install monai pydensecrf2 scikit-learn scipy torch torchmetrics
    python tests/golden/make_numerics.py

The inputs are made anew from their seeds by the tests; only the results are stored.
"""

from pathlib import Path

import monai
import numpy as np
import pydensecrf.densecrf
import scipy
import sklearn.metrics
import torch
import torchmetrics
from cases import COST_SHAPES, VOID, blobs, costs, crf_case, masks_and_logits


def channels_first(array):
    return torch.tensor(np.moveaxis(array, -1, 1))


def losses():
    """Mean over the pixels that are not void, or over classes, of torch's and MONAI's losses."""
    masks, logits = masks_and_logits()
    truth, scores = torch.tensor(masks), channels_first(logits)
    yield "cross_entropy", torch.nn.functional.cross_entropy(scores, truth, ignore_index=VOID)
    counted = truth != VOID
    one_hot = torch.nn.functional.one_hot(truth * counted, 5).movedim(-1, 1)
    focal = monai.losses.FocalLoss(include_background=True, gamma=2.0, use_softmax=True, reduction="none")
    yield "focal", focal(scores, one_hot).sum(1)[counted].mean()
    # Void pixels: nobody's truth and nobody's prediction, for these losses know no void.
    inside = counted[:, None].float()
    probabilities, one_hot = torch.softmax(scores, 1) * inside, one_hot * inside
    smooth = {"smooth_nr": 1.0, "smooth_dr": 1.0, "batch": True}
    yield "dice", monai.losses.DiceLoss(**smooth)(probabilities, one_hot)
    yield "tversky", monai.losses.TverskyLoss(alpha=0.2, beta=0.8, **smooth)(probabilities, one_hot)


def confusion():
    """scikit-learn's confusion matrix, precision, recall, F1; torchmetrics' and MONAI's Dice."""
    masks, logits = masks_and_logits()
    counted = masks != VOID
    truth, prediction = masks[counted], logits.argmax(-1)[counted]
    yield "confusion_matrix", sklearn.metrics.confusion_matrix(truth, prediction)
    scores = sklearn.metrics.precision_recall_fscore_support(truth, prediction)
    yield from zip(("precision", "recall", "f1"), scores, strict=False)
    f1 = torchmetrics.F1Score("multiclass", num_classes=5, average="none")
    yield "dice_torchmetrics", f1(torch.tensor(prediction), torch.tensor(truth))
    jaccard = torchmetrics.JaccardIndex("multiclass", num_classes=5, average="none")
    yield "iou_torchmetrics", jaccard(torch.tensor(prediction), torch.tensor(truth))
    one_hot = [torch.nn.functional.one_hot(torch.tensor(x), 5).T[None] for x in (prediction, truth)]
    yield "dice_monai", monai.metrics.compute_dice(*one_hot)[0]


def hausdorff():
    """SciPy's distance between the outlines' points, MONAI's 95th percentile."""
    def outline(region):
        return np.argwhere(region & ~scipy.ndimage.binary_erosion(region))

    directed = scipy.spatial.distance.directed_hausdorff
    pairs = [(outline(a), outline(b)) for a, b in blobs()]
    yield "hausdorff", [max(directed(a, b)[0], directed(b, a)[0]) for a, b in pairs]
    distance = monai.metrics.compute_hausdorff_distance
    tensors = [[torch.tensor(region)[None, None] for region in pair] for pair in blobs()]
    yield "hausdorff95", [distance(a, b, include_background=True, percentile=95).item() for a, b in tensors]


def assignment():
    """The least total cost, by SciPy."""
    least = []
    for shape in COST_SHAPES:
        cost = costs(shape)
        least.append(cost[scipy.optimize.linear_sum_assignment(cost)].sum())
    yield "least_costs", least


def dense_crf():
    """pydensecrf2, whose sums over pixels are approximate."""
    probabilities, image = crf_case()
    height, width, k = probabilities.shape
    crf = pydensecrf.densecrf.DenseCRF2D(width, height, k)
    unary = -np.log(probabilities).transpose(2, 0, 1).reshape(k, -1)
    crf.setUnaryEnergy(np.ascontiguousarray(unary, dtype="float32"))
    crf.addPairwiseGaussian(sxy=3, compat=3)
    picture = np.ascontiguousarray((255 * image).round().astype("uint8"))
    crf.addPairwiseBilateral(sxy=20, srgb=13, rgbim=picture, compat=10)
    for iterations in (1, 5):
        result = np.array(crf.inference(iterations)).reshape(k, height, width)
        yield f"crf_{iterations}", result.transpose(1, 2, 0).astype("float16")


if __name__ == "__main__":
    parts = (losses(), confusion(), hausdorff(), assignment(), dense_crf())
    results = {name: np.asarray(value) for part in parts for name, value in part}
    np.savez_compressed(Path(__file__).with_name("numerics.npz"), **results)
    for name, value in results.items():
        print(name, value.shape, value.dtype)
