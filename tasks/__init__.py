"""The verbs as Celery tasks, one a file. Celery loads them by `include`; everybody else sends them by name."""

from tasks import accept, deliver, intake, sweep

__all__ = ["accept", "deliver", "intake", "sweep"]
