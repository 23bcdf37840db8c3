# An ordinary exception.
# state = "failed"
# message = "failed: ZeroDivisionError: division by zero"
# error = "ZeroDivisionError"
# stdout = '^before\n$'
print("before")
1 / 0
