"""Writes one digit of the packaged sample as a PNG file: `python examples/picture.py digit.png`."""

import sys

from PIL import Image

from glassworks.data.reader import read_pictures

pictures = read_pictures("sample:mnist-5k")
Image.fromarray(pictures.pictures[1234][:, :, 0]).save(sys.argv[1])
