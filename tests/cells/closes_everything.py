# The cell closes every descriptor it has, the one to us among them.
# state = "failed"
# message = 'failed: ended without finishing \(exit code \d+\)'
import os

os.closerange(0, 4096)
