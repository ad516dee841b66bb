"""Queues and Celery's settings, for the workers and for whoever publishes a wake-up.

Postgres is the truth and a message is a disposable wake-up, so nothing here relies on late
acknowledgement, results, ETA or revoke (docs/decisions/0001-postgres-is-the-truth.md).
"""

from kombu import Queue

# short: threads; long and media: prefork. A worker empties its low queue after the other.
QUEUES = ("short", "long", "media", "short_low", "long_low", "media_low")

task_queues = tuple(Queue(name, routing_key=name) for name in QUEUES)
task_default_queue = "short"
task_create_missing_queues = False

task_acks_late = False
task_ignore_result = True
result_backend = None
task_serializer = "json"
accept_content = ["json"]
task_track_started = True
task_send_sent_event = False  # workers tell Flower when they receive one, a moment later
task_publish_retry = False
task_remote_tracebacks = False

worker_prefetch_multiplier = 1
worker_disable_prefetch = True
worker_send_task_events = True
worker_hijack_root_logger = False
worker_redirect_stdouts = False
worker_max_tasks_per_child = 1_000
worker_max_memory_per_child = 600_000  # KiB
worker_cancel_long_running_tasks_on_connection_loss = False
worker_enable_remote_control = True

broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_pool_limit = 8
broker_transport_options = {
    "socket_keepalive": True,
    "socket_timeout": 5.0,
    "socket_connect_timeout": 2.0,
    "health_check_interval": 25,
    "retry_on_timeout": False,
    "visibility_timeout": 3600,
    "queue_order_strategy": "sorted",  # by name: `short` is looked at before `short_low`
}

timezone = "UTC"
enable_utc = True
