# An everyday cell: prints, computes, plots, and ends in an expression.
# state = "completed"
# message = "completed"
# exit_code = 0
# stdout = '^5 rows\n$'
# outputs = ["image/png", "text/html"]
import matplotlib.pyplot as plt
import pandas as pd

frame = pd.DataFrame({"x": range(5), "y": [value**2 for value in range(5)]})
print(len(frame), "rows")
plt.plot(frame["x"], frame["y"])
plt.show()
frame
