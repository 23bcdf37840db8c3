# One process eats all the memory there is; only the budget that all runs share holds it.
# state = "stopped"
# reason = "memory"
# message = 'stopped: the \d.+ that runs without --memory share were used up after \d.+ \(peak .+\); --memory reserves its own'
import numpy as np

hoard = []
while True:
    hoard.append(np.ones(4_000_000))
