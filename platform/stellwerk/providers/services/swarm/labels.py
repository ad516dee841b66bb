"""What is written on services and on their containers, to be told from others'."""

STACK = "stellwerk.stack"
SERVICE = "stellwerk.service"
MODULE = "stellwerk.module"
INSTANCE = "stellwerk.instance"
VERSION = "stellwerk.version"
PORT = "stellwerk.port"
SPEC = "stellwerk.spec"  # SHA-256 over all that the service was made from

ALL = frozenset({STACK, SERVICE, MODULE, INSTANCE, VERSION, PORT, SPEC})
