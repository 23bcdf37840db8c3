# A random number: forks of one process must not all draw the same.
# state = "completed"
# message = "completed"
# stdout = '^0\.\d+\n$'
import numpy as np

print(np.random.rand())
