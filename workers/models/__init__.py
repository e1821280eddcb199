"""The truth about workers."""

from workers.models.artifact import Artifact, TestReport
from workers.models.attempt import Attempt, log_path
from workers.models.event import (
    Event,
    EventCounter,
    after_commit,
    emit,
    latest_seq,
    patience,
    retrying,
    unit_of_work,
)
from workers.models.landing import Landing
from workers.models.message import Message
from workers.models.node import Node
from workers.models.plan import WorkerChunk, accept
from workers.models.question import Question
from workers.models.totals import Totals
from workers.models.worker import Worker

__all__ = [
    "Artifact",
    "Attempt",
    "Event",
    "EventCounter",
    "Landing",
    "Message",
    "Node",
    "Question",
    "TestReport",
    "Totals",
    "Worker",
    "WorkerChunk",
    "accept",
    "after_commit",
    "emit",
    "latest_seq",
    "log_path",
    "patience",
    "retrying",
    "unit_of_work",
]
