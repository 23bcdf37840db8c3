# The process stops itself: it does nothing, for ever.
# options = "-t 1s"
# state = "stopped"
# reason = "walltime"
# message = 'stopped: time limit 1.0 s reached; --timeout raises it'
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
