"""The addresses of the pages. Actions are nouns: POST makes a pause, DELETE takes it back."""

from django.urls import URLPattern, path

from dashboard.pages import attempts, demo, history, projects, queue, sign_in, specs, workers

urlpatterns: list[URLPattern] = [
    path("", workers.home, name="home"),
    path("sign-in", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-in/<str:token>", sign_in.by_link, name="sign-in-link"),
    path("sign-out", sign_in.SignOut.as_view(), name="sign-out"),
    path("workers", workers.index, name="workers"),
    path("workers/pause-all", workers.pause_all, name="workers-pause"),
    path("workers/resume-all", workers.resume_all, name="workers-resume"),
    path("workers/stop-all", workers.stop_all, name="workers-stop"),
    path("workers/<int:pk>", workers.detail, name="worker"),
    path("workers/<int:pk>/pause", workers.pause, name="worker-pause"),
    path("workers/<int:pk>/resume", workers.resume, name="worker-resume"),
    path("workers/<int:pk>/stop", workers.stop, name="worker-stop"),
    path("workers/<int:pk>/requeue", workers.requeue, name="worker-requeue"),
    path("workers/<int:pk>/retry", workers.retry, name="worker-retry"),
    path("attempts/<int:pk>/log", attempts.log, name="attempt-log"),
    path("attempts/<int:pk>/log/raw", attempts.download, name="attempt-download"),
    path("queue", queue.index, name="queue"),
    path("queue/pause", queue.pause, name="queue-pause"),
    path("queue/resume", queue.resume, name="queue-resume"),
    path("queue/limit", queue.limit, name="queue-limit"),
    path("queue/restore", queue.restore, name="queue-restore"),
    path("queue/<int:pk>", queue.entry, name="queue-entry"),
    path("queue/<int:pk>/move", queue.move, name="queue-move"),
    path("queue/<int:pk>/priority", queue.priority, name="queue-priority"),
    path("specs", specs.index, name="specs"),
    path("specs/new", specs.new, name="spec-new"),
    path("specs/<int:pk>", specs.detail, name="spec"),
    path("specs/<int:pk>/edit", specs.edit, name="spec-edit"),
    path("specs/<int:pk>/run", specs.run_all, name="spec-run"),
    path("specs/<int:pk>/background-run", specs.run_in_background, name="spec-run-in-background"),
    path("projects", projects.index, name="projects"),
    path("projects/new", projects.new, name="project-new"),
    path("projects/import", projects.import_folder, name="project-import"),
    path("projects/<int:pk>", projects.edit, name="project"),
    path("history", history.index, name="history"),
    path("demo", demo.create, name="demo"),
]
