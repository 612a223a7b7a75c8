"""What scores mean: words for thresholds, where the encoder's were measured."""

from __future__ import annotations

import math

from image_similarity_search.catalog.values import Identity
from image_similarity_search.collection.identity import stored_spec
from image_similarity_search.encoders.table import DEFAULT_ENCODER, ENCODERS
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import SCORE_WORDS, ScoreWord, Threshold, number


def thresholds_of(identity: Identity) -> dict[ScoreWord, float] | None:
    """The score from which on each word holds; None where that was not measured.

    They were measured by cosine, with the encoder's own weights and preprocessing, or a former one.
    """
    spec = stored_spec(identity)
    row = ENCODERS.get(spec.model or DEFAULT_ENCODER)
    if row is None or row.scores is None or identity.metric != "cosine" or not identity.fingerprint:
        return None
    if spec.weights or spec.runtime:
        return None
    if spec.applied_to(row.preprocessing) not in (row.preprocessing, *row.former):
        return None
    return dict(zip(SCORE_WORDS, row.scores, strict=True))


def score_of(identity: Identity, threshold: Threshold | None) -> float | None:
    """A threshold as a score.

    Raises:
        ConfigError: it is no score that a hit could have and no word for one, or nobody knows what
            the word means here.
    """
    if isinstance(threshold, str):
        return _measured(identity, threshold)
    if threshold is None:
        return None
    bounded, score = identity.metric != "ip", number(threshold)
    if not math.isfinite(score) or (bounded and not 0 <= score <= 1):
        expected = "a score from 0 to 1 (1 means identical)" if bounded else "a score"
        raise ConfigError("threshold", threshold, expected)
    return score


def _measured(identity: Identity, word: str) -> float:
    if word not in SCORE_WORDS:
        raise ConfigError("threshold", word, f"a score, or {', '.join(SCORE_WORDS)}")
    known = thresholds_of(identity)
    if known is None:
        raise ConfigError(
            "threshold",
            word,
            f"a number: the words are not calibrated for {identity.encoder} with"
            f" {identity.metric} and the preprocessing of this collection ('iss evaluate'"
            " helps to find a score)",
        )
    return known[word]
