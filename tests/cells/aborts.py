# The C library's abort.
# state = "failed"
# message = 'failed: the process crashed: aborted \(SIGABRT\)'
# signal = 6
import os

os.abort()
