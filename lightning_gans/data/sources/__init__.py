"""One small file per source; each names its class SOURCE."""
