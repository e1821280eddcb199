"""What exit codes mean: the one list, for the commands, for their help and for docs/cli.md."""

from http import HTTPStatus

DONE, FAILED, BAD_INPUT, NOT_FOUND, NOT_NOW, NOT_ALLOWED, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130

MEANINGS = {
    DONE: "done",
    FAILED: "failed",
    BAD_INPUT: "wrong usage or input; nothing has changed",
    NOT_FOUND: "there is no such worker, entry, spec, project or node",
    NOT_NOW: "not possible now: it has ended, is on its way out, waits already, or too much was asked in a minute",
    NOT_ALLOWED: "not allowed: the token does not work, or its account or scope may not do this",
    UNREACHABLE: "the server cannot be reached, or cannot answer now",
    INTERRUPTED: "interrupted by Ctrl-C, which is how --watch ends",
}
OF_STATUS = {
    HTTPStatus.BAD_REQUEST: BAD_INPUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: BAD_INPUT,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: BAD_INPUT,
    HTTPStatus.UNPROCESSABLE_ENTITY: BAD_INPUT,
    HTTPStatus.UNAUTHORIZED: NOT_ALLOWED,
    HTTPStatus.FORBIDDEN: NOT_ALLOWED,
    HTTPStatus.NOT_FOUND: NOT_FOUND,
    HTTPStatus.CONFLICT: NOT_NOW,
    HTTPStatus.PRECONDITION_FAILED: NOT_NOW,
    HTTPStatus.TOO_MANY_REQUESTS: NOT_NOW,
    HTTPStatus.BAD_GATEWAY: UNREACHABLE,
    HTTPStatus.SERVICE_UNAVAILABLE: UNREACHABLE,
    HTTPStatus.GATEWAY_TIMEOUT: UNREACHABLE,
}


def of_status(status: int) -> int:
    """The exit code for what the API answers with this status of 400 or above."""
    return OF_STATUS.get(HTTPStatus(status), FAILED) if status in HTTPStatus._value2member_map_ else FAILED
