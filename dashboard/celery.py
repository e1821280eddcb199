"""The Celery application of a node: one queue per node, results ignored, late acknowledgement off.

Celery only carries the wish to start a worker quickly. What it loses, doubles or delays is made good by
`workers.maintenance`, because the truth is the database.
"""

import logging
import os
import signal
import sys
import threading
from typing import Any

from celery import Celery
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

from dashboard import config
from workers.publisher import BELL_TIMEOUT

CONFIG = config.load()


def broker_url(redis: str) -> str:
    """The broker as kombu spells it: unix://path becomes redis+socket://path."""
    return redis.replace("unix://", "redis+socket://", 1) if redis.startswith("unix://") else redis


class Application(Celery):
    """Celery whose senders wait no longer than for any other bell: somebody waits for the answer of what they do."""

    def connection_for_write(self, *args: Any, **kwargs: Any) -> Any:
        """Consumers have connections of their own (`connection_for_read`), which wait in the read."""
        limits = {"socket_timeout": BELL_TIMEOUT, "socket_connect_timeout": BELL_TIMEOUT}
        return super().connection_for_write(*args, transport_options=limits, **kwargs)


# Without Celery's additions for Django: its tasks only hand over to threads that keep their own connections, and
# Django is set up already. They would set it up again and put the working directory first where modules are sought.
app = Application("specyard", fixups=())
app.set_default()  # for every thread, not just the one that imports this
app.conf.update(
    broker_url=broker_url(CONFIG.redis),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # A sender tries once: what Redis does not hear, the node's own thread finds within a second.
    broker_transport_options={
        "socket_connect_timeout": 1,
        "socket_timeout": 10,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
    },
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_acks_late=False,
    task_queues=[Queue(f"node.{CONFIG.node_name}")],
    task_create_missing_queues=True,
    task_serializer="json",
    accept_content=["json"],
    worker_disable_prefetch=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
)
app.autodiscover_tasks(["workers", "queue_app"])


@worker_ready.connect
def start_caretaker(**_: object) -> None:
    """The node's own threads start when its Celery can take messages."""
    from dashboard.webhooks.sender import sender
    from workers import maintenance

    ending.start()
    maintenance.start(CONFIG.node_name, superseded=lambda: os.kill(os.getpid(), signal.SIGTERM))
    sender().start()


@worker_shutting_down.connect
def begin_to_end(**_: object) -> None:
    """TERM or Ctrl-C has arrived, and this runs inside the signal's handler: wake the thread that lets all go."""
    from workers import maintenance

    maintenance.take_nothing_more()
    wanted_to_end.set()


@worker_shutdown.connect
def wait_for_the_end(**_: object) -> None:
    """Celery has ended: wait for what is still being let go."""
    begin_to_end()
    if ending.ident is not None:  # else it never got ready
        ending.join()


def let_go_and_end() -> None:
    """Once it is wanted, drain, then end this process without Celery, which would wait a second more for its Redis.

    A message that it has taken and not handed over is lost, which costs a moment. If draining fails, Celery ends.
    """
    from dashboard.webhooks.sender import sender
    from workers import maintenance

    wanted_to_end.wait()
    sender().stop()
    maintenance.drain()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


wanted_to_end = threading.Event()
ending = threading.Thread(target=let_go_and_end, name="end", daemon=True)
