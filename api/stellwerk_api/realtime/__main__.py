"""`python -m stellwerk_api.realtime`: the realtime process."""

from stellwerk.logs import configure_logs
from stellwerk.settings import settings
from stellwerk_api.realtime.server import serve

configure_logs(settings())
serve(settings())
