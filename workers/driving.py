"""Who drives which worker in this process: workers are claimed or adopted, and each gets a thread and an engine."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import DatabaseError, InterfaceError, OperationalError
from structlog.contextvars import bound_contextvars

from workers import landing
from workers.engine import Draining, Engine
from workers.errors import Fenced, LauncherUnavailable, RunnerRefused, StaleTransition
from workers.models import Worker, patience
from workers.owned import Owned

logger = logging.getLogger(__name__)

MOST_DRIVEN = 64  # workers driven by one process at a time
DATABASE_PATIENCE = 120.0  # seconds that an engine waits for a database that is being restarted
DEFECT = "A defect in Specyard ended this worker. The node's log says more."

owned = Owned()


def run(worker_id: int, epoch: int) -> None:
    """Claim an accepted worker and drive it to its end. A doubled or late call finds nothing to claim."""
    with owned.holding(worker_id, epoch) as free, patience(DATABASE_PATIENCE):
        if free and (worker := Worker.claim(worker_id, epoch)):
            drive(worker, fresh=True)


def adopt(worker_id: int, epoch: int) -> None:
    """Take a worker over from the owner with `epoch` and drive it to its end."""
    with owned.holding(worker_id, epoch + 1) as free, patience(DATABASE_PATIENCE):
        if free and (worker := Worker.adopt(worker_id, epoch)):
            drive(worker, fresh=False)


def begin(worker: Worker) -> None:
    """Have a worker driven that was accepted for this process, and is claimed by that."""
    submit(partial(_drive_claimed, worker), worker.pk, worker.epoch)


def _drive_claimed(worker: Worker, worker_id: int, epoch: int) -> None:
    with owned.holding(worker_id, epoch) as free, patience(DATABASE_PATIENCE):
        if free:
            drive(worker, fresh=True)


pool = ThreadPoolExecutor(MOST_DRIVEN, thread_name_prefix="worker")


def submit(job: Callable[[int, int], None], worker_id: int, epoch: int) -> None:
    """Have `run` or `adopt` done in a thread of the pool, whose threads keep their database connections.

    What is driven here, or waits for a thread, already is left as it is.
    """
    if owned.expect(worker_id):
        pool.submit(_in_pool, job, worker_id, epoch)


def _in_pool(job: Callable[[int, int], None], worker_id: int, epoch: int) -> None:
    try:
        job(worker_id, epoch)
    except DatabaseError as error:
        logger.warning("Worker %s could not be taken up, and will be again: %s", worker_id, error)
    except Exception:
        logger.exception("Worker %s met a defect that could not be recorded", worker_id)


def drive(worker: Worker, *, fresh: bool) -> None:
    """Drive a worker that this process owns until it has ended or has to be let go."""
    with bound_contextvars(worker=worker.pk):
        _drive(worker, fresh=fresh)


def _drive(worker: Worker, *, fresh: bool) -> None:
    engine = Engine(worker, owned, fresh=fresh)
    try:
        engine.run()
    except (Fenced, Draining) as letting_go:
        logger.info("Worker %s is let go: %s", worker.pk, letting_go.__doc__)
    except StaleTransition as stale:
        logger.warning("Worker %s is let go: %s", worker.pk, stale)
    except (LauncherUnavailable, OperationalError, InterfaceError) as error:
        logger.warning("Worker %s is let go and will be adopted again: %s", worker.pk, error)
    except RunnerRefused as refused:
        logger.exception("Worker %s asked its runner for something that it refused", worker.pk)
        engine.give_up(f"The runner refused a request: {refused}")
    except Exception:
        logger.exception("Worker %s met a defect", worker.pk)
        engine.give_up(DEFECT)
    finally:
        engine.hang_up()


_landing: set[int] = set()
_landing_lock = threading.Lock()


def land(landing_id: int) -> None:
    """Have a branch merged or discarded in a thread of the pool, unless one is at it."""
    with _landing_lock:
        if landing_id in _landing:
            return
        _landing.add(landing_id)
    pool.submit(_land, landing_id)


def _land(landing_id: int) -> None:
    try:
        landing.carry_out(landing_id)
    except Exception:
        logger.exception("Landing %s met a defect", landing_id)
    finally:
        with _landing_lock:
            _landing.discard(landing_id)
