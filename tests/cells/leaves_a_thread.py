# A thread that is no daemon and never ends does not keep the run alive.
# state = "completed"
# message = "completed"
import threading

threading.Thread(target=threading.Event().wait).start()
