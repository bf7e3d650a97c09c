"""Files that somebody else wrote, row by row, in memory that does not grow with them."""
