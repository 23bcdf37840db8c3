# joblib's worker processes, with their semaphores and shared memory.
# state = "completed"
# message = "completed"
# stdout = '^\[0.0, 1.0, 2.0, 3.0\]\n$'
import math

from joblib import Parallel, delayed

print(Parallel(n_jobs=2)(delayed(math.sqrt)(number**2) for number in range(4)))
