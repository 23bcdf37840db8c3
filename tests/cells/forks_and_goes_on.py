# A fork that both processes come back from.
# state = "completed"
# message = "completed"
# stdout = '^one\none\n$'
import os

child = os.fork()
if child:
    os.waitpid(child, 0)
print("one")
