//! The paper's stages as pure steps: compress, interests, tags, explanations.
