"""Where it happens: the lake, the cluster, the gates and the engines."""
