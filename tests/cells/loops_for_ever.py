# A loop without end.
# options = "-t 1s"
# state = "stopped"
# reason = "walltime"
# message = 'stopped: time limit 1.0 s reached; --timeout raises it'
# stdout = '^on we go\n$'
print("on we go")
while True:
    pass
