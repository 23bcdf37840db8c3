# The process leaves with another code.
# state = "failed"
# message = 'failed: ended without finishing \(exit code 5\)'
# exit_code = 5
import os

os._exit(5)
