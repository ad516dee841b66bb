"""Names of the headers of limits (draft-ietf-httpapi-ratelimit-headers), and of our own."""

POLICY = "RateLimit-Policy"
REMAINING = "RateLimit"
HEADERS = (POLICY, REMAINING)
AS_EVENT = "X-Stellwerk-As-Event"  # asks for a job as events tell it: masked for everybody
REPEAT = "X-Stellwerk-Repeat"  # with realtime's token: this belongs to a request that was counted
