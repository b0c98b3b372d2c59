def check_sizes(model, x): pass
