"""Who writes what decides the state of a worker: the verbs of `workers/models`, and nobody else."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import modules, named

GUARDED = {"status", "outcome", "desired", "epoch", "incarnation"}
# Calls that write what they are given as keywords or in a dict: Django's and those of our models.
WRITING = {
    "update",
    "create",
    "acreate",
    "get_or_create",
    "update_or_create",
    "bulk_update",
    "own",
    "change",
    "_change",
    "assign",
    "setattr",
    "Worker",
    "WorkerChunk",
    "Attempt",
    "Node",
}
VERBS = {
    ("workers.models.worker", "Worker.claim"),
    ("workers.models.plan", "accept"),
    ("workers.models.plan", "frozen_plan"),
    ("workers.models.worker", "Worker.adopt"),
    ("workers.models.worker", "Worker.new_incarnation"),
    ("workers.models.worker", "Worker._wish"),
    ("workers.models.worker", "Worker.read_wish"),
    ("workers.models.worker", "Worker._become"),
    ("workers.models.attempt", "Attempt.open"),
    ("workers.models.attempt", "Attempt.close"),
    ("workers.models.plan", "WorkerChunk.skip"),
    ("workers.models.plan", "WorkerChunk.settle"),
    ("workers.models.node", "Node.register"),
    ("workers.models.node", "Node.heartbeat"),
    ("workers.models.node", "Node.drain"),
    ("workers.models.node", "Node.request_return"),
    ("workers.models.node", "Node.unregister"),
    ("workers.models.node", "Node.mark_silent"),
}


def writes(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(the function it stands in, its line) of everything that writes a guarded column."""
    for where, node in named(tree):
        if (isinstance(node, ast.Call) and _call_writes(node)) or any(map(_is_guarded, _targets(node))):
            yield where, node.lineno  # type: ignore[attr-defined]


def _targets(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign():
            return [part for target in node.targets for part in _parts(target)]
        case ast.AugAssign() | ast.AnnAssign():
            return [node.target]
    return []


def _parts(target: ast.expr) -> list[ast.expr]:
    return list(target.elts) if isinstance(target, ast.Tuple | ast.List) else [target]


def _is_guarded(target: ast.expr) -> bool:
    return isinstance(target, ast.Attribute) and target.attr in GUARDED


def _call_writes(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in WRITING:
        return False
    unpacked = [part for keyword in call.keywords if keyword.arg is None for part in ast.walk(keyword.value)]
    if any(isinstance(part, ast.Call) for part in unpacked):
        return True  # whatever a function makes up
    keywords = {keyword.arg for keyword in call.keywords}
    inside = [value for keyword in call.keywords for value in ast.walk(keyword.value)]
    inside += [value for argument in call.args for value in ast.walk(argument)]
    keys = {key.value for value in inside if isinstance(value, ast.Dict) for key in value.keys if _is_text(key)}
    texts = {value.value for value in call.args if _is_text(value)} if name == "setattr" else set()
    fields = {value.value for value in inside if _is_text(value)} if name == "bulk_update" else set()
    return bool(GUARDED & (keywords | keys | texts | fields))


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def found() -> set[tuple[str, str]]:
    outside = [module for module in modules() if not module.name.startswith("workers.runner")]
    return {(module.name, where) for module in outside for where, _ in writes(module.tree)}


def test_only_the_verbs_of_the_models_write_what_decides_a_state() -> None:
    assert found() - VERBS == set()


def test_every_verb_in_the_list_still_writes() -> None:
    assert VERBS - found() == set()


def test_no_raw_sql_changes_our_tables() -> None:
    verbs = ("update workers_", "insert into workers_", "delete from workers_", "update queue_app_")
    texts = {
        module.name
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and any(verb in node.value.lower() for verb in verbs)
    }
    assert texts == set()


@pytest.mark.parametrize(
    "code",
    [
        "worker.status = 'failed'",
        "worker.status: str = 'failed'",
        "worker.epoch += 1",
        "a, worker.desired = 1, 'stop'",
        "Worker.objects.filter(pk=1).update(status='failed')",
        "Worker.objects.filter(pk=1).update(**{'status': 'failed'})",
        "Worker(status='running')",
        "Worker.objects.create(spec=spec, status='running')",
        "Worker.objects.update_or_create(pk=1, defaults={'status': 'idle'})",
        "Worker.objects.bulk_update(workers, ['status'])",
        "setattr(worker, 'status', 'failed')",
        "chunk.change(outcome='passed')",
        "async def view():\n  await Worker.objects.filter(pk=1).acreate(status='idle')",
    ],
)
def test_a_write_is_recognised(code: str) -> None:
    assert list(writes(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "Worker.objects.filter(status='failed').update(slot=3)",
        "Worker.objects.exclude(status__in=FINAL).count()",
        "Q(status='idle') | Q(epoch=1)",
        "status = worker.status",
        "HttpResponse(status=404)",
        "worker.stopped('mira')",
    ],
)
def test_what_only_reads_or_filters_is_let_pass(code: str) -> None:
    assert not list(writes(ast.parse(code)))
