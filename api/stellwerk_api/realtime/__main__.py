"""`python -m stellwerk_api.realtime`: the realtime process."""

from stellwerk.logs import configure_logs
from stellwerk.settings import settings
from stellwerk.stack.production import refuse_unfit
from stellwerk_api.realtime.server import serve

configure_logs(settings(), role="realtime")
refuse_unfit(settings(), serves=False)
serve(settings())
