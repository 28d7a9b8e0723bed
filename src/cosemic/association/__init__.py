"""The state machines of the application layer, client and server, without a socket."""
