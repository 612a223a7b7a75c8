"""Syncs, in the background."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import StreamingResponse

from image_similarity_search.errors import ConfigError
from image_similarity_search.service.requests import SyncIn
from image_similarity_search.service.routes.documented import problems
from image_similarity_search.service.schemas import Job, Jobs
from image_similarity_search.service.service import Changing, ServedHere, ServiceHere

router = APIRouter(tags=["jobs"])

_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["progress", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}

JobId = Annotated[str, Path(description="The job's id.", examples=["3f9c2a7be01d4c55"])]


@router.post(
    "/v1/collections/{collection}/sync",
    status_code=202,
    dependencies=[Changing],
    responses=problems(400, 404, 408, 409, 413, 507),
)
async def start_sync(
    served: ServedHere, service: ServiceHere, response: Response, wanted: SyncIn | None = None
) -> Job:
    """Start a job that updates the collection from its folders. The response is the job."""
    wanted = wanted or SyncIn()
    roots = await service.work.do(served, served.roots)
    if wanted.root is not None:
        roots.folder(wanted.root)
    names = list(roots.by_name) if wanted.root is None else [wanted.root]
    if not names:
        raise ConfigError(
            "root", None, "a collection with indexed folders: add them with 'iss index'"
        )
    task = {
        "index_dir": served.folder,
        "roots": names,
        "retry_skipped": wanted.retry_skipped,
    }
    job = await service.work.tell(service.jobs.start, "sync", served.name, task, root=names[0])
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


@router.get("/v1/jobs", responses=problems())
async def list_jobs(service: ServiceHere) -> Jobs:
    """The most recent jobs, newest first."""
    return Jobs(jobs=await service.work.tell(service.jobs.all))


@router.get("/v1/jobs/{job}", responses=problems(404))
async def get_job(service: ServiceHere, job: JobId) -> Job:
    """State and progress of a job."""
    return await service.work.tell(service.jobs.get, job)


@router.post("/v1/jobs/{job}/cancel", status_code=202, responses=problems(404, 507))
async def cancel_job(service: ServiceHere, job: JobId) -> Job:
    """Ask a job to stop. Finished work is kept."""
    if (await service.work.tell(service.jobs.get, job)).kind == "sync":
        service.changing()
    return await service.work.tell(service.jobs.cancel, job)


@router.get(
    "/v1/jobs/{job}/events",
    response_class=StreamingResponse,
    responses=problems(404)
    | {
        200: {
            "description": "Events `progress`, and at last `end`; the data of each is a Job.",
            "content": {"text/event-stream": {"schema": _EVENT}},
        }
    },
)
async def stream_job_events(service: ServiceHere, job: JobId) -> StreamingResponse:
    """Follow a job with server-sent events."""
    await service.work.tell(service.jobs.get, job)
    service.streams.check()
    headers = {"X-Accel-Buffering": "no"}  # else a proxy would keep them back
    return StreamingResponse(
        service.streams.of(job), headers=headers, media_type="text/event-stream"
    )
