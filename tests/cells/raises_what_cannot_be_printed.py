# An exception that fails when it is asked for its text.
# state = "failed"
# message = 'failed: Odd.*'
# error = "Odd"
class Odd(Exception):
    def __str__(self):
        raise ValueError("no text")


raise Odd()
