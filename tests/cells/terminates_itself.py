# The process asks itself to end; SIGTERM has its usual effect.
# state = "failed"
# reason = "killed"
# message = 'failed: killed by SIGTERM, not sent by exec_magic'
# signal = 15
import os

os.kill(os.getpid(), 15)
