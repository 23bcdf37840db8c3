"""The other program: guardian, server, init and run. The kernel process never imports it."""
