# The cell writes rubbish to every descriptor it has.
# state = "failed"
# message = 'failed: .+'
import os

for number in os.listdir("/proc/self/fd"):
    try:
        os.write(int(number), b"\xff" * 64)
    except OSError:
        pass
