"""A machine that runs workers."""

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from workers.models.event import emit, unit_of_work
from workers.states import EventKind, NodeStatus

NODE_TTL = timedelta(seconds=60)


class Node(models.Model):
    """A machine, what it can do and how it feels. `instance` names the process that speaks for it now."""

    name = models.CharField(max_length=100, unique=True)
    status = models.CharField(max_length=10, choices=NodeStatus.choices, default=NodeStatus.OFFLINE)
    instance = models.CharField(max_length=32, blank=True)
    capabilities = models.JSONField(default=dict)
    load = models.FloatField(default=0.0)  # 1-minute load average
    memory = models.FloatField(default=0.0)  # percent in use
    max_workers = models.PositiveIntegerField(null=True, blank=True)
    last_seen = models.DateTimeField(null=True)

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
    def heartbeat(self, load: float, memory: float) -> bool:
        """Report in. False when another process speaks for this node: then the caller must let go.

        A node that was silent and taken for lost is online again.
        """
        mine = Node.objects.filter(pk=self.pk, instance=self.instance)
        if not mine.update(last_seen=Now(), load=load, memory=memory):
            return False
        if mine.filter(status__in=(NodeStatus.OFFLINE, NodeStatus.SILENT)).update(status=NodeStatus.ONLINE):
            emit(EventKind.NODE_ONLINE, node=self.name)
        return True

    @unit_of_work
    def drain(self) -> None:
        """Take no new work; what runs may end."""
        if Node.objects.filter(pk=self.pk, status=NodeStatus.ONLINE).update(status=NodeStatus.DRAINING):
            emit(EventKind.NODE_DRAINING, node=self.name)

    @unit_of_work
    def unregister(self) -> None:
        """Say goodbye, unless another process speaks for this node already."""
        mine = Node.objects.filter(pk=self.pk, instance=self.instance)
        if mine.update(status=NodeStatus.OFFLINE):
            emit(EventKind.NODE_OFFLINE, node=self.name)

    @classmethod
    def silent(cls) -> "models.QuerySet[Node]":
        """Nodes that should be heard of and have been silent for NODE_TTL by the database's clock."""
        heard_of = cls.objects.exclude(status__in=(NodeStatus.OFFLINE, NodeStatus.SILENT))
        return heard_of.filter(last_seen__lt=Now() - NODE_TTL)

    @classmethod
    @unit_of_work
    def mark_silent(cls) -> list[str]:
        """Mark silent nodes as such; returns their names."""
        names = list(cls.silent().values_list("name", flat=True))
        cls.objects.filter(name__in=names).update(status=NodeStatus.SILENT)
        for name in names:
            emit(EventKind.NODE_OFFLINE, node=name)
        return names
