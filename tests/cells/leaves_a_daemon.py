# A double-forked daemon in a session of its own, which holds a lock for as long as it lives.
# state = "completed"
# message = "completed"
# lock = "daemon.lock"
import fcntl
import os
import time

lock = open("daemon.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
ready, done = os.pipe()
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(done, b"x")
    time.sleep(600)
    os._exit(0)
os.wait()
os.read(ready, 1)
print("the daemon is up")
