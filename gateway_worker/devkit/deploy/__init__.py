"""What is in `deploy/`, held to the product and to the formats it is written in, without a cluster.

`./dev deploy` runs `validate`, with the tools that `tools` installs; `generated` writes the files
that follow from the settings and from the contract; `chart` renders the Helm chart, for `validate`
and for the tests.
"""
