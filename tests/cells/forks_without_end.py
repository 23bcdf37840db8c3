# Eight chains of processes that fork and exit for ever, each in a session of its own.
# options = "-t 1s"
# state = "stopped"
# reason = "walltime"
# message = 'stopped: time limit 1.0 s reached; --timeout raises it'
# lock = "hydra.lock"
import fcntl
import os
import time

lock = open("hydra.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
for _ in range(8):
    if not os.fork():
        os.setsid()
        while not os.fork():
            time.sleep(0.001)
        os._exit(0)
time.sleep(600)
