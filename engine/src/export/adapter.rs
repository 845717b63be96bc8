//! A side network for transformers: the adapter folder itself, and a loader in one Python file.

use std::path::Path;

use crate::Result;
use crate::adapters::adapter_folder::{self, CHAT_TEMPLATE, StoredAdapter};
use crate::files::write_atomically;

const LOADER: &str = "stepladder_adapter.py";
static LOADER_SOURCE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../installers/python/stepladder_adapter.py"
));

pub(super) fn write(source: &StoredAdapter, out: &Path) -> Result<(Vec<&'static str>, String)> {
    adapter_folder::save(out, &source.config, source.network.parameters())?;
    write_atomically(&out.join(LOADER), LOADER_SOURCE)?;
    let mut files = vec![adapter_folder::CONFIG, adapter_folder::TENSORS, LOADER];
    files.extend(source.config.chat_template.as_ref().map(|_| CHAT_TEMPLATE));
    let usage = format!(
        "python {} BASE_MODEL {} \"prompt\"",
        out.join(LOADER).display(),
        out.display()
    );
    Ok((files, usage))
}
