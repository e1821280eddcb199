"""The same fragments over HTTP, for pages whose WebSocket is blocked."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from dashboard import access
from dashboard.live.board import whole
from dashboard.live.drawing import draw
from dashboard.live.topics import BadTopics, parse
from workers.models import latest_seq


@access.looking()
def poll(request: HttpRequest) -> HttpResponse:
    """All regions of the page's topics, as the socket would send them, and in X-Seq how far they reach."""
    try:
        topics = parse(request.GET.get("topics", ""))
    except BadTopics:
        return HttpResponse("topics: unknown", status=HTTPStatus.BAD_REQUEST, content_type="text/plain")
    seq = latest_seq()
    html = "".join(drawing.html for drawing in draw(sorted(whole(topics))).values())
    return HttpResponse(html, headers={"X-Seq": str(seq), "Cache-Control": "no-store"})
