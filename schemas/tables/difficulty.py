"""Difficulty: how often a model fails at a question, counted over samples or predicted from the question's text."""

from typing import Literal

import pyarrow as pa

from schemas.arrow import optional, required

ReferenceKind = Literal["gold", "majority"]
"""What the samples were held against: an answer that came with the question, or what most of them agree on."""

BandSide = Literal["below", "inside", "above"]
"""Where the fail rate of all samples lies, of a band that was asked about."""

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # of the question
        required("question", pa.string()),
        optional("fails", pa.int32()),  # samples with another answer, or none; null where predicted
        optional("samples", pa.int32()),  # fewer than asked for where the band was decided early; null where predicted
        required("fail_rate", pa.float64()),  # fails / samples, or the prediction; in [0, 1]
        optional("low", pa.float64()),  # Wilson interval of 95 % about the rate, as if no sample had been saved
        optional("high", pa.float64()),
        optional("against", pa.string()),  # gold or majority; null where predicted
        optional("side", pa.string()),  # below, inside or above the band; null where none was asked about
    ]
)
