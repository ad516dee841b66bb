"""The states of a video, and which state of its job makes which."""

from enum import StrEnum

from stellwerk.jobs.states import JobStatus


class VideoStatus(StrEnum):
    """Where a video is between its request and its publication."""

    QUEUED = "queued"
    PROCESSING = "processing"
    READY = "ready"
    PUBLISHED = "published"
    FAILED = "failed"


AFTER_JOB = {
    JobStatus.COMPLETED: VideoStatus.READY,
    JobStatus.FAILED: VideoStatus.FAILED,
    JobStatus.CANCELLED: VideoStatus.FAILED,
}
