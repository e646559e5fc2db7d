"""Parts that plugins share: neural layers, and what repairs of recognizers have in common."""
