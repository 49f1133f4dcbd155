"""Arrays and labels in, Plotly figures out; the same figures serve page, export and notebook."""
