"""The identity of a collection whose embeddings come from elsewhere."""

from __future__ import annotations

from image_similarity_search.catalog.values import Identity
from image_similarity_search.collection.identity import spec_text
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.encoders.table import ENCODERS
from image_similarity_search.errors import ImportSourceError
from image_similarity_search.types import UNKNOWN_ENCODER, Metric


def identity_made_with(
    model: EncoderSpec | Encoder | None, dim: int, metric: Metric, source: str, otherwise: str
) -> Identity:
    """What embeddings of ``dim`` values from ``source`` were made with, as far as it is said.

    There is no fingerprint: what they really were made with is found out when it is there.

    Args:
        model: a spec, an encoder, or None where nobody said it.
        dim: length of an embedding.
        metric: how distance is to be measured.
        source: where they come from, for a message.
        otherwise: what may be done where no model with a name made them, for a message.

    Raises:
        ImportSourceError: the model's embeddings have another dimension.
    """
    if model is None:
        return Identity(UNKNOWN_ENCODER, "", dim, metric, "auto")
    if isinstance(model, EncoderSpec):
        spec = registry.resolved(model)
        name, text = str(spec.model), spec.to_json()
        made = ENCODERS[name].dim if name in ENCODERS else dim
    else:
        name, text, made = model.name, spec_text(model), model.dim
    if made != dim:
        raise ImportSourceError(source, f"{_misfit(name, made, dim)}; {otherwise}")
    return Identity(name, "", dim, metric, "auto", encoder_spec=text)


def _misfit(name: str, made: int, dim: int) -> str:
    fitting = ", ".join(row.name for row in ENCODERS.values() if row.dim == dim)
    return (
        f"its embeddings have {dim:,} values, those of {name} {made:,}: name the model that"
        f" made them, --model NAME (with {dim:,} there is: {fitting or 'no built-in model'})"
    )
