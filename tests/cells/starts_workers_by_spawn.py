# Worker processes that are started afresh, not forked.
# state = "completed"
# message = "completed"
# stdout = '^\[2.0, 3.0\]\n$'
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
    print(list(pool.map(math.sqrt, [4, 9])))
