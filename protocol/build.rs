//! Names the build: a number made of the sources that both `stepladder` and `stepladder-cuda` are
//! built from. Two executables that say the same number understand each other; a version alone does
//! not tell, as it stays the same from one change to the next.

use std::path::{Path, PathBuf};

/// What is counted, from the workspace's root. What is not there is left out.
const SOURCES: [&str; 6] = [
    "Cargo.lock",
    "protocol/Cargo.toml",
    "protocol/src",
    "engine/Cargo.toml",
    "engine/src",
    "assets/catalogue.json",
];

fn main() {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    let root = here.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    println!("cargo::rerun-if-changed=build.rs");
    let mut hash = Fnv::default();
    for source in SOURCES {
        let path = root.join(source);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
            add(&mut hash, &path, source);
        }
    }
    println!("cargo::rustc-env=STEPLADDER_BUILD={:016x}", hash.0);
}

/// Adds a file, or all that lies in a folder, by its name from the root.
fn add(hash: &mut Fnv, path: &Path, name: &str) {
    if let Ok(entries) = std::fs::read_dir(path) {
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        for child in names {
            add(hash, &path.join(&child), &format!("{name}/{child}"));
        }
    } else if let Ok(content) = std::fs::read(path) {
        hash.add(name.as_bytes());
        hash.add(&content);
    }
}

/// FNV-1a over pieces, each ended by its length.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, piece: &[u8]) {
        // Git may give Windows other line ends: they make no other build.
        let mut length = 0_u64;
        for byte in piece.iter().filter(|byte| **byte != b'\r') {
            self.byte(*byte);
            length += 1;
        }
        length
            .to_le_bytes()
            .into_iter()
            .for_each(|byte| self.byte(byte));
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}
