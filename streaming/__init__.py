"""The runtime: protocol, sessions, scheduling, the engine, queues with stated loss, client."""
