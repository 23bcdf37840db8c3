# The cell sends to every descriptor what could be a message to the server, and reads no answer.
# options = "-t 1s"
# state = "stopped"
# reason = "walltime"
# message = 'stopped: time limit 1.0 s reached; --timeout raises it'
import os
import time

for number in os.listdir("/proc/self/fd"):
    try:
        if int(number) > 3:
            os.set_blocking(int(number), False)
            os.write(int(number), b"e" * 5000)
    except OSError:
        pass
time.sleep(600)
