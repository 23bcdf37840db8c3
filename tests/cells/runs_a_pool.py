# multiprocessing's pool of forked workers, left open.
# state = "completed"
# message = "completed"
# stdout = '^\[0, 1, 8, 27\]\n$'
import multiprocessing
import operator

pool = multiprocessing.get_context("fork").Pool(2)
print(pool.starmap(operator.pow, [(number, 3) for number in range(4)]))
