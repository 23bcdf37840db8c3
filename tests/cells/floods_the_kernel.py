# The cell prints and displays without end, faster than anybody reads.
# options = "-t 0.3s"
# state = "stopped"
# reason = "walltime"
# message = 'stopped: time limit 0.3 s reached; --timeout raises it'
import os

line = "x" * 1000
while True:
    print(line)
    os.write(2, b"y" * 1000)
