"""The harness: corpora in, versioned result tables out."""
