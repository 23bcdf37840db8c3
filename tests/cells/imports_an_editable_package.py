# A package installed with `pip install --editable`: found, and in the folder where it is edited.
# state = "completed"
# message = "completed"
# stdout = '^editable 1 .*/src_of_tiny/tiny/__init__\.py\n$'
# needs = "tiny"
import tiny

print("editable", tiny.VERSION, tiny.__file__)
