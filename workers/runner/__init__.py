"""Launcher and runners: the processes that own what a worker starts. No Django, Celery or Channels in here."""
