# One process eats all the memory there is, under a limit of its own.
# options = "-m 300M"
# state = "stopped"
# reason = "memory"
# message = 'stopped: memory limit 300 MB reached after \d.*s \(peak \d+ MB\); --memory raises it'
import numpy as np

hoard = []
while True:
    hoard.append(np.ones(4_000_000))
