//! Streaming writers and manifests for exports.
