"""How the service is, and what it serves."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from fastapi import APIRouter, Response

from image_similarity_search.errors import ImageSearchError, StoreUnavailableError
from image_similarity_search.service import metrics
from image_similarity_search.service.kinds import KINDS, Kind
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.routes.documented import problems
from image_similarity_search.service.schemas import CollectionOut, Collections, Readiness, Status
from image_similarity_search.service.served import Served
from image_similarity_search.service.service import ServedHere, Service, ServiceHere

router = APIRouter()

_log = logging.getLogger(__name__)

_NOT_READY = Kind(503, "not-ready", "Not ready", 2)


@router.get("/healthz", tags=["service"], responses=problems())
async def check_health() -> Status:
    """Liveness: the process answers."""
    return Status()


@router.get("/readyz", tags=["service"], responses=problems())
async def check_readiness(service: ServiceHere) -> Readiness:
    """Readiness: whether a collection can be searched, and the state of each."""
    if not service.collections.ready:
        raise Refusal(_NOT_READY, "it is starting or stopping")
    async with service.collections.all() as (found, wrong):
        slugs = {name: kind.slug for name, kind in wrong.items()}
        away = (name for name, served in found.items() if served.turns.is_engine_away)
        slugs |= dict.fromkeys(away, KINDS[StoreUnavailableError].slug)
        told = {} if service.keys.needed else slugs
    if not found:
        which = "; ".join(f"{name}: {slug}" for name, slug in told.items())
        raise Refusal(_NOT_READY, which or "no collection can be used")
    return Readiness(problems=told)


@router.get("/metrics", tags=["service"], response_class=Response, responses=problems())
async def get_metrics(service: ServiceHere) -> Response:
    """Metrics in the Prometheus text format."""
    counts = {}
    async with service.collections.all() as (found, _):
        for name, served in found.items():
            with suppress(ImageSearchError, Refusal):  # it can't be used, after all
                counts[name] = await service.work.tell_of(served, len, served.collection)
    service.metrics.collections(counts)
    service.metrics.jobs(await service.work.tell(service.jobs.all))
    return Response(service.metrics.text(), media_type=metrics.CONTENT_TYPE)


@router.get("/v1/collections", tags=["collections"], responses=problems())
async def list_collections(service: ServiceHere) -> Collections:
    """All collections; the web page opens the first."""
    described = []
    async with service.collections.all() as (found, wrong):
        unavailable = list(wrong)
        coming = [service.work.tell_of(one, _described, one, service) for one in found.values()]
        told = await asyncio.gather(*coming, return_exceptions=True)
        for name, one in zip(found, told, strict=True):
            if isinstance(one, CollectionOut):
                described.append(one)
            elif isinstance(one, ImageSearchError | Refusal):
                _log.warning("%s: %s", name, one)
                unavailable.append(name)
            else:
                raise one
        return Collections(
            collections=described,
            unavailable=unavailable,
            max_upload=service.settings.limits.upload_bytes,
        )


@router.get("/v1/collections/{collection}", tags=["collections"], responses=problems(404))
async def get_collection(served: ServedHere, service: ServiceHere) -> CollectionOut:
    """Describe a collection: model, metric, counts, folders."""
    return await service.work.tell_of(served, _described, served, service)


def _described(served: Served, service: Service) -> CollectionOut:
    statuses = {name: served.folder_looks.of(path) for name, path in served.roots().by_name.items()}
    info = served.collection.info()
    return CollectionOut.of(info, served.name, statuses, read_only=service.settings.read_only)
