"""Docker's API behind a list of what the platform may do, so that it need not hold the socket.

Whoever may speak to Docker is root on its machine. What stands here lets through what
`providers/services/swarm` sends, for services of one stack, and nothing else.
"""
