# Not-a-number and infinity inside a display's JSON.
# state = "completed"
# message = "completed"
# outputs = ["application/json"]
from IPython.display import display

data = {"values": [1.5, float("nan"), float("inf")]}
display({"application/json": data, "text/plain": "data"}, raw=True)
