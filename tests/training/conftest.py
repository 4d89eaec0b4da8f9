# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fixtures of the tests of training.
"""

from unittest import mock

import pytest
from torch import nn


class SmallEncoder(nn.Module):
    """
    Stand in for ResNet-18, whose 11 million weights each step would save.

    It has layers of all kinds: with weights, and with running means.
    """

    def __init__(self, weights=None):
        super().__init__()
        # (the first layer and the last one are replaced)
        self.conv1 = None
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 16, 3, stride=2, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, 1)

    def forward(self, image):
        found = self.bn1(self.conv1(image)).relu()
        found = self.bn2(self.conv2(found)).relu()
        return self.fc(found.mean((2, 3)))


@pytest.fixture(scope='module')
def small_encoder():
    """
    Let captioners have few weights.
    """
    with mock.patch('torchvision.models.resnet18', SmallEncoder):
        yield
