//! Models: generation, verdict scoring and embeddings, in process or remote.
