"""Commands: `dispatcher` takes one from delivery to outcome, `inbox` makes each happen once, `handlers`
hold what each type does.
"""
