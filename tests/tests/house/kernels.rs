//! The engine's kernels for cards are committed twice: as sources, and as the PTX that
//! `installers/cuda/kernels` makes of them. Whoever changes one changes the other.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use stepladder_tests::root;

/// The files of a folder with this ending, in the order of their names.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files
}

/// What the first line of a kernel's PTX names: the checksum of its source and all headers.
fn checksum(kernel: &Path, headers: &[PathBuf]) -> String {
    let mut hash = Sha256::new();
    for path in [kernel]
        .into_iter()
        .chain(headers.iter().map(PathBuf::as_path))
    {
        // Git may have given the lines Windows' ends.
        let text = fs::read_to_string(path).unwrap().replace("\r\n", "\n");
        hash.update(text);
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn committed_ptx_is_made_of_the_committed_kernels() {
    let cuda = root().join("engine/src/ops/cuda");
    let headers = files(&cuda.join("kernels"), "cuh");
    let mut expected = BTreeSet::new();
    for kernel in files(&cuda.join("kernels"), "cu") {
        let source = checksum(&kernel, &headers);
        let name = kernel.file_stem().unwrap().to_str().unwrap();
        for architecture in ["sm_75", "sm_80"] {
            let path = cuda.join(format!("ptx/{name}.{architecture}.ptx"));
            let ptx = fs::read_to_string(&path).unwrap_or_default();
            let first = ptx.lines().next().unwrap_or_default();
            assert!(
                first.contains(&source),
                "{} was not made of {name}.cu as it is: run installers/cuda/kernels",
                path.display()
            );
            expected.insert(path);
        }
    }
    let found = files(&cuda.join("ptx"), "ptx").into_iter().collect();
    assert_eq!(expected, found, "PTX without a source");
}
