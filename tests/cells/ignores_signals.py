# A loop without end that ignores every signal that can be ignored.
# options = "-t 1s"
# state = "stopped"
# reason = "walltime"
# message = 'stopped: time limit 1.0 s reached; --timeout raises it'
import signal

for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
