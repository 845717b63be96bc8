//! What a file must not say.
