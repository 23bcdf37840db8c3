# The process leaves with code 0 without telling us: that is no completion.
# state = "failed"
# message = 'failed: ended without finishing \(exit code 0\)'
# exit_code = 0
# stdout = '^before\n$'
import os

print("before", flush=True)
os._exit(0)
