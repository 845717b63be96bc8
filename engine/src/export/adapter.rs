//! A side network for transformers: the adapter folder itself, and a loader in one Python file.

use std::ops::ControlFlow;

use super::Place;
use crate::Result;
use crate::adapters::adapter_folder::{self, CHAT_TEMPLATE, StoredAdapter};
use crate::files::write_atomically;
use crate::foreign_text::quoted_for_shell;

const LOADER: &str = "stepladder_adapter.py";
static LOADER_SOURCE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../installers/python/stepladder_adapter.py"
));

pub(super) fn write(
    source: &StoredAdapter,
    to: Place<'_>,
    told: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<(Vec<&'static str>, String)> {
    let Place { made_in, out } = to;
    let parameters = source.network.parameters();
    adapter_folder::save_telling(made_in, &source.config, parameters, told)?;
    write_atomically(&made_in.join(LOADER), LOADER_SOURCE)?;
    let mut files = vec![adapter_folder::CONFIG, adapter_folder::TENSORS, LOADER];
    files.extend(source.config.chat_template.as_ref().map(|_| CHAT_TEMPLATE));
    let usage = format!(
        "python {} BASE_MODEL {} \"prompt\"",
        quoted_for_shell(&out.join(LOADER).display().to_string()),
        quoted_for_shell(&out.display().to_string())
    );
    Ok((files, usage))
}
