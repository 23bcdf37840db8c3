"""One mechanism of the operating system a file."""
