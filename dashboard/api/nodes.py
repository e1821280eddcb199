"""Nodes: the machines that run workers."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Status
from pydantic import Field

from dashboard import access
from dashboard.api.authentication import ADMINISTERING
from dashboard.api.paging import Page, Paging, by_number, page
from dashboard.api.shapes import Shown
from workers.models import Node, Worker
from workers.models.worker import IS_ACTIVE
from workers.states import NodeStatus

router = Router(tags=["nodes"])


class NodeOut(Shown):
    """A machine that runs workers."""

    id: int
    name: str
    status: Literal[tuple(NodeStatus.values)] = Field(  # type: ignore[valid-type]
        description="online, draining (takes no new work), offline (has said goodbye) or silent."
    )
    executors: list[str] = Field(description="What its chunks may be carried out by.")
    capabilities: dict[str, Any] = Field(description="What else it has told of itself.")
    load: float = Field(description="Its load average over one minute.")
    memory: float = Field(description="Memory in use, in percent.")
    max_workers: int | None = Field(description="How many workers it may run at once; null: any.")
    active: int = Field(description="How many workers it runs now.")
    last_seen_at: datetime | None

    @classmethod
    def of(cls, node: Node, active: int) -> "NodeOut":
        """One node with the number of its active workers."""
        offers = dict(node.capabilities)
        executors = [str(name) for name in offers.pop("executors", ())]
        return cls.copied(node, executors=executors, capabilities=offers, active=active, last_seen_at=node.last_seen)


@router.get("/nodes", response=Page[NodeOut], summary="List nodes")
def list_nodes(request: HttpRequest, paging: Query[Paging]) -> Any:
    """The machines in the order in which they registered first."""
    rows, following = by_number(Node.objects.all(), paging)
    return page(_shown(*rows), following)


@router.get("/nodes/{int:id}", response=NodeOut, summary="Get a node")
def get_node(request: HttpRequest, id: int) -> NodeOut:
    """One machine."""
    return _shown(access.get_node(request.user, id))[0]


@router.post("/nodes/{int:id}/drain", auth=ADMINISTERING, response={202: NodeOut}, summary="Drain a node")
def drain_node(request: HttpRequest, id: int) -> Status[NodeOut]:
    """Let it take no new work; what runs on it goes on to its end. Lasts until `resume`, or until it starts anew.

    Repeating it changes nothing; 409 when the node is offline or silent.
    """
    return _asked(request, id, Node.request_drain)


@router.post("/nodes/{int:id}/resume", auth=ADMINISTERING, response={202: NodeOut}, summary="Take a node back")
def resume_node(request: HttpRequest, id: int) -> Status[NodeOut]:
    """Let it take work again, at once where something waits. Repeating it changes nothing."""
    return _asked(request, id, Node.request_return)


def _asked(request: HttpRequest, pk: int, verb: Callable[[Node, str], None]) -> Status[NodeOut]:
    node = access.get_node(request.user, pk)
    verb(node, request.user.get_username())
    return Status(HTTPStatus.ACCEPTED, _shown(node)[0])


def _shown(*nodes: Node) -> list[NodeOut]:
    """Nodes with what they run: one query, by the index of slots."""
    active = Counter(Worker.objects.filter(IS_ACTIVE).order_by().values_list("node", flat=True))
    return [NodeOut.of(node, active[node.pk]) for node in nodes]
