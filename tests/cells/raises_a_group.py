# An exception group is an exception too.
# state = "failed"
# message = 'failed: ExceptionGroup: several \(2 sub-exceptions\)'
# error = "ExceptionGroup"
raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])
