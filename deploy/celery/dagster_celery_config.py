"""Settings of Celery workers: dagster-celery reads the module of this name where it is on PYTHONPATH."""

import os

broker_url = os.environ["CELERY_BROKER_URL"]
result_backend = os.environ["CELERY_RESULT_BACKEND"]
# One task at a time per process: a run takes minutes, and one that is only fetched waits for a slot in vain.
worker_prefetch_multiplier = 1
# A task is out of the broker once it has begun: its run is tried again by Dagster, which knows what the run has done.
task_acks_late = False
task_track_started = True
broker_connection_retry_on_startup = True
