"""Which images count and how is searched, as the query string says it: named as in JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from image_similarity_search.service.requests import FilterIn, In, OptionsIn

_Model = TypeVar("_Model", bound=In)


def _from_query(model: type[_Model]) -> Callable[..., Awaitable[_Model]]:
    """What makes a ``model`` of the query string: each field is a parameter, and they say alike."""

    async def made(**given: Any) -> _Model:
        return model(**given)

    made.__signature__ = Signature(  # type: ignore[attr-defined]  # where FastAPI looks
        [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=Annotated[
                    field.annotation, *field.metadata, Query(description=field.description)
                ],
            )
            for name, field in model.model_fields.items()
        ]
    )
    return made


Options = Annotated[OptionsIn, Depends(_from_query(OptionsIn))]
Where = Annotated[FilterIn, Depends(_from_query(FilterIn))]
