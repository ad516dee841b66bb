"""What is measured, one module for each kind; `measure` gives figures, `lines` shows them."""
