# The process kills itself.
# state = "failed"
# reason = "killed"
# message = 'failed: killed by SIGKILL, not sent by exec_magic.*'
# signal = 9
import os

os.kill(os.getpid(), 9)
