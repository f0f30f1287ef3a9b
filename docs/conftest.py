"""What pytest leaves out of this folder."""

# It renames classes for Sphinx, after which their annotations can no longer be resolved.
collect_ignore = ["conf.py"]
