# A crash of the interpreter.
# state = "failed"
# message = 'failed: the process crashed: segmentation fault \(SIGSEGV\)'
# signal = 11
# stdout = '^so far\n$'
import ctypes

print("so far")
ctypes.string_at(0)
