"""Difficulty: how often a model fails a question, counted over samples or predicted from the question's text."""

from typing import Literal

import pyarrow as pa

from schemas.arrow import optional, required

ReferenceKind = Literal["gold", "majority"]
"""The reference that the samples were compared with: the question's gold answer, or the majority of the samples."""

BandSide = Literal["below", "inside", "above"]
"""Where the fail rate over all samples lies, compared with the requested band."""

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # row_id of the question
        required("question", pa.string()),
        optional("fails", pa.int32()),  # samples with another answer or none; null if predicted
        optional("samples", pa.int32()),  # whole samples; fewer if the band was decided early; null if predicted
        optional("cut_off", pa.int32()),  # further samples, which were cut off and count in no rate; null if predicted
        required("fail_rate", pa.float64()),  # fails / samples, or the prediction; in [0, 1]
        optional("low", pa.float64()),  # 95 % Wilson interval of the rate, as if no samples had been saved
        optional("high", pa.float64()),
        optional("against", pa.string()),  # a ReferenceKind; null if predicted
        optional("side", pa.string()),  # a BandSide; null if no band was requested
    ]
)
