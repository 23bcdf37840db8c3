# A crash of the interpreter.
# state = "failed"
# message = 'failed: the process crashed: segmentation fault \(SIGSEGV\)'
# signal = 11
import ctypes

ctypes.string_at(0)
