# The process becomes another program, which knows nothing of us; what it writes is shown.
# state = "failed"
# message = 'failed: ended without finishing \(exit code 0\)'
# exit_code = 0
# stdout = '^from another program\n$'
import os

os.execvp("echo", ["echo", "from another program"])
