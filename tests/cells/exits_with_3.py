# sys.exit with a code that says failure.
# state = "failed"
# message = 'failed: exit code 3'
# exit_code = 3
import sys

sys.exit(3)
