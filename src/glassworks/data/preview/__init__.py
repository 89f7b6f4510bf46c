"""A quick look at data, however large: classes, columns, some examples, thumbnails."""

from glassworks.data.preview.opening import open_preview as open_preview
from glassworks.data.preview.records import ClassCount as ClassCount, Example as Example, Preview as Preview
