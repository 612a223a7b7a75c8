"""The application: what uvicorn runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from image_similarity_search._version import __version__
from image_similarity_search.service import problems
from image_similarity_search.service.gate import OPEN_PATHS, Gate
from image_similarity_search.service.metrics import Metrics
from image_similarity_search.service.page import add_page
from image_similarity_search.service.parameters import only_known
from image_similarity_search.service.requests import (
    AddIn,
    DismissIn,
    DuplicatesIn,
    SearchIn,
    SessionIn,
    SyncIn,
    TagsIn,
)
from image_similarity_search.service.routes import (
    about,
    duplicates,
    explaining,
    images,
    pictures,
    searching,
    sessions,
    syncing,
    tags,
)
from image_similarity_search.service.service import Service
from image_similarity_search.service.settings import Settings
from image_similarity_search.service.supervising import end_with_parent

_ABOUT = """Find the pictures that look like a given one.

Images are addressed by their ids, and only files inside indexed folders are served. Absolute paths
are never disclosed: an image has the name of its root, and a path within it. Errors are problem
details (RFC 9457). If API keys are required, send one as `Authorization: Bearer KEY`.
"""


@dataclass(frozen=True, slots=True)
class AppFactory:
    """Makes the application of each worker."""

    settings: Settings
    shared_metrics: str | None = None

    def __call__(self) -> ASGIApp:
        """The application, all its checks around it."""
        end_with_parent()
        names = [name for name, _ in self.settings.collections]
        metrics = Metrics(names, self.shared_metrics)
        app = create_app(self.settings, metrics)
        return Gate(app, self.settings, metrics, app.state.service.wrong_keys)


def create_app(settings: Settings, metrics: Metrics) -> FastAPI:
    """The application alone."""
    service = Service(settings, metrics)
    app = FastAPI(
        title="Image Similarity Search",
        version=__version__,
        description=_ABOUT,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # search_by_image, list_jobs ...
        lifespan=service.running,
    )
    app.state.service = service
    app.state.parameters = {}
    problems.add_handlers(app)
    asked = (about, sessions, searching, explaining, images, pictures, tags, syncing, duplicates)
    for module in asked:
        app.include_router(module.router, dependencies=[Depends(only_known)])
    add_page(app)
    app.openapi = lambda: _document(app, keys=bool(settings.keys))  # type: ignore[method-assign]  # as FastAPI says to
    return app


def _document(app: FastAPI, *, keys: bool) -> dict[str, Any]:
    """The OpenAPI document, with schemas and summaries that FastAPI does not derive."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = document["components"]["schemas"]
    for model in (SearchIn, AddIn, SyncIn, DuplicatesIn, DismissIn, TagsIn, SessionIn):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    if keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
        for path in OPEN_PATHS:
            for operation in document["paths"].get(path, {}).values():
                operation["security"] = []
    for path in document["paths"].values():
        for operation in path.values():
            operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    answer["content"].pop("application/json", None)
    app.openapi_schema = document
    return document
