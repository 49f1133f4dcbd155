"""What is checked of families that read a detector's regions and no pixels."""

import numpy as np
import pytest
import torch

from tests import probes
from tests.builders import random_picture
from tests.families.checks import FamilyChecks
from vl_core.detections import Detections
from vl_core.errors import ImageError
from vl_core.example import Example


def detections(width, size, count=9, seed=0):
    """Random features, and boxes that are all within the picture."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 0.5, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.5, (count, 2))], axis=1)
    return Detections(rng.normal(size=(count, width)), boxes * np.tile(size, 2))


class RegionChecks(FamilyChecks):
    """The family's checks, on regions; its boxes are those of the detector."""

    pass_rates = {}  # noqa: RUF012
    reads_text_alone = False
    width = 23
    stream = "encoder"

    @classmethod
    def asked(cls, question, seed=0) -> Example:
        """With nine regions."""
        found = detections(cls.width, cls.size, seed=seed)
        return Example(random_picture(cls.size, seed=seed), question, detections=found)

    def test_boxes_are_those_of_the_detector(self, trace, example):
        """In its order."""
        tokens = trace.streams[self.stream].tokens

        np.testing.assert_allclose(tokens.boxes[tokens.is_image], example.detections.boxes)

    def test_each_region_is_its_own_token(self, model, example, trace):
        """Other features of one region change its token at the entry and no other."""
        placed = np.flatnonzero(trace.streams[self.stream].tokens.is_image)
        before = probes.first_states(model, example)[self.stream]
        for number, token in enumerate(placed):
            features = np.array(example.detections.features)
            features[number] += 1
            changed = Example(
                example.image,
                example.text,
                detections=Detections(features, example.detections.boxes),
            )
            after = probes.first_states(model, changed)[self.stream]
            moved = (after - before).norm(dim=-1) > 1e-6
            assert torch.nonzero(moved).flatten().tolist() == [token]

    def test_regions_must_be_there(self, model):
        """The sentence says what is wanted, with the width."""
        with pytest.raises(ImageError, match=rf"region x {self.width}"):
            model.trace(Example(random_picture(self.size), self.question))

    def test_other_features_are_refused(self, model):
        """Both widths are told."""
        found = detections(self.width + 1, self.size)
        with pytest.raises(ImageError, match=rf"{self.width + 1} numbers; .* {self.width} "):
            model.trace(Example(random_picture(self.size), self.question, detections=found))

    def test_boxes_beyond_the_picture_are_cut(self, model, example):
        """A detector's box may stick out a little; one that lies outside has no place."""
        boxes = np.array(example.detections.boxes)
        boxes[2] = [-5, 10, 40, self.size[1] + 9]
        boxes[4] = [self.size[0] + 1, 0, self.size[0] + 9, 5]
        found = Detections(example.detections.features, boxes)
        moved = Example(example.image, example.text, detections=found)
        table = model.trace(moved).streams[self.stream].tokens
        cut = table.boxes[table.is_image]

        assert cut[2].tolist() == [0, 10, 40, self.size[1]]
        assert np.isnan(cut[4]).all()
