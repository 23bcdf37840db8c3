# A recursion without end is an ordinary exception.
# state = "failed"
# message = 'failed: RecursionError: maximum recursion depth exceeded.*'
# error = "RecursionError"


def down(depth):
    return down(depth + 1)


down(0)
