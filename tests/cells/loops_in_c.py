# An endless loop in C, which holds the GIL and looks at no signal.
# options = "-t 1s"
# state = "stopped"
# reason = "walltime"
# message = 'stopped: time limit 1.0 s reached; --timeout raises it'
import itertools

sum(itertools.repeat(0))
