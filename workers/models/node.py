"""A machine that runs workers."""

from datetime import timedelta
from functools import partial
from typing import Any

from django.db import models
from django.db.models import Case, Value, When
from django.db.models.functions import Now
from django.utils import timezone

from specs.acting import record
from workers.errors import StaleTransition
from workers.models.event import after_commit, emit, unit_of_work
from workers.signals import slots_may_be_free
from workers.states import EventKind, NodeStatus

NODE_TTL = timedelta(seconds=60)
CANARY_TTL = timedelta(seconds=60)
HEARD_OF = (NodeStatus.ONLINE, NodeStatus.DRAINING)


class Node(models.Model):
    """A machine, what it can do and how it feels. `instance` names the process that speaks for it now."""

    name = models.CharField(max_length=100, unique=True)
    status = models.CharField(max_length=10, choices=NodeStatus.choices, default=NodeStatus.OFFLINE)
    instance = models.CharField(max_length=32, blank=True)
    capabilities = models.JSONField(default=dict)
    load = models.FloatField(default=0.0)  # 1-minute load average
    memory = models.FloatField(default=0.0)  # percent in use
    drained = models.BooleanField(default=False)  # shall take no new work, also when it is heard again after a silence
    max_workers = models.PositiveIntegerField(null=True, blank=True)
    last_seen = models.DateTimeField(null=True)
    canary_at = models.DateTimeField(null=True)  # when its Celery last took a message, to a heartbeat

    class Meta:
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=tuple(NodeStatus.values)), name="node_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    @unit_of_work
    def register(cls, name: str, instance: str, capabilities: dict[str, Any], max_workers: int) -> "Node":
        """Say that the machine is here and that the process `instance` speaks for it from now on.

        `max_workers` counts for a machine that registers for the first time; afterwards it is people's to change.
        """
        facts = {
            "instance": instance,
            "capabilities": capabilities,
            "drained": False,
            "last_seen": timezone.now(),
        }
        node, _ = cls.objects.update_or_create(
            name=name,
            defaults={**facts, "status": NodeStatus.ONLINE},
            create_defaults={**facts, "status": NodeStatus.ONLINE, "max_workers": max_workers},
        )
        emit(EventKind.NODE_ONLINE, node=name)
        return node

    @unit_of_work
    def heartbeat(self, load: float, memory: float, *, canary: bool = False) -> bool:
        """Report in. False when another process speaks for this node: then the caller must let go.

        A node that was silent and taken for lost is back, drained or online. `canary`: its Celery has taken a message
        since the last time.
        """
        mine = Node.objects.filter(pk=self.pk, instance=self.instance)
        facts: dict[str, Any] = {"canary_at": Now()} if canary else {}
        if not mine.update(last_seen=Now(), load=load, memory=memory, **facts):
            return False
        back = Case(When(drained=True, then=Value(NodeStatus.DRAINING)), default=Value(NodeStatus.ONLINE))
        if mine.filter(status__in=(NodeStatus.OFFLINE, NodeStatus.SILENT)).update(status=back):
            is_drained = mine.filter(drained=True).exists()
            emit(EventKind.NODE_DRAINING if is_drained else EventKind.NODE_ONLINE, node=self.name)
        return True

    @unit_of_work
    def drain(self) -> None:
        """Take no new work; what runs may end."""
        online = Node.objects.filter(pk=self.pk, status=NodeStatus.ONLINE)
        if online.update(status=NodeStatus.DRAINING, drained=True):
            emit(EventKind.NODE_DRAINING, node=self.name)

    # What people ask for.

    @unit_of_work
    def request_drain(self, by: str) -> None:
        """Ask that the node takes no new work until `request_return` or its next start. Repeating it changes nothing.

        Raises StaleTransition when the node is not there.
        """
        fresh = self._present()
        if fresh.status == NodeStatus.ONLINE:
            fresh.drain()
            record("node.drain", fresh, before={"status": fresh.status}, after={"status": NodeStatus.DRAINING}, by=by)
        self.refresh_from_db()

    @unit_of_work
    def request_return(self, by: str) -> None:
        """Ask that the node takes work again. Repeating it changes nothing.

        Raises StaleTransition when the node is not there.
        """
        fresh = self._present()
        if fresh.status == NodeStatus.DRAINING:
            Node.objects.filter(pk=self.pk).update(status=NodeStatus.ONLINE, drained=False)
            emit(EventKind.NODE_ONLINE, node=self.name)
            record("node.return", fresh, before={"status": fresh.status}, after={"status": NodeStatus.ONLINE}, by=by)
            after_commit(partial(slots_may_be_free.send, Node))
        self.refresh_from_db()

    def _present(self) -> "Node":
        fresh = Node.objects.select_for_update().get(pk=self.pk)
        if fresh.status not in HEARD_OF:
            raise StaleTransition(f"The node {self.name} is {fresh.status}.", current=fresh.status)
        return fresh

    @unit_of_work
    def unregister(self) -> None:
        """Say goodbye, unless another process speaks for this node already."""
        mine = Node.objects.filter(pk=self.pk, instance=self.instance)
        if mine.update(status=NodeStatus.OFFLINE):
            emit(EventKind.NODE_OFFLINE, node=self.name)

    @classmethod
    def silent(cls) -> "models.QuerySet[Node]":
        """Nodes that should be heard of and have been silent for NODE_TTL by the database's clock."""
        return cls.objects.filter(status__in=HEARD_OF, last_seen__lt=Now() - NODE_TTL)

    @classmethod
    def without_canary(cls) -> "models.QuerySet[Node]":
        """Nodes that are here, drained or not, and whose Celery has taken no message for CANARY_TTL."""
        late = models.Q(canary_at=None) | models.Q(canary_at__lt=Now() - CANARY_TTL)
        return cls.objects.filter(late, status__in=HEARD_OF)

    @classmethod
    @unit_of_work
    def mark_silent(cls) -> list[str]:
        """Mark silent nodes as such, each but once however many look; returns their names."""
        names = [node.name for node in cls.silent() if cls.silent().filter(pk=node.pk).update(status=NodeStatus.SILENT)]
        for name in names:
            emit(EventKind.NODE_OFFLINE, node=name)
        return names
