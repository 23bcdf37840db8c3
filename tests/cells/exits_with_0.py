# sys.exit with a code that says success is the code's own word.
# state = "completed"
# message = "completed"
# exit_code = 0
import sys

sys.exit(0)
