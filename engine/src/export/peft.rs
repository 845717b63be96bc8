//! LoRA for Hugging Face's PEFT.

use std::path::Path;

use crate::adapters::adapter_folder::{StoredAdapter, save_chat_template};
use crate::adapters::lora::peft;
use crate::adapters::network::Network;
use crate::{Error, Result};

pub(super) fn write(source: &StoredAdapter, out: &Path) -> Result<(Vec<&'static str>, String)> {
    let Network::Lora(lora) = &source.network else {
        return Err(Error::AdapterInvalid {
            path: out.to_path_buf(),
            problem: "a side network is no LoRA".to_owned(),
        });
    };
    let config = &source.config;
    peft::save(out, lora, &config.base_model, &config.module_root)?;
    let mut files = vec![peft::CONFIG, peft::TENSORS];
    files.extend(save_chat_template(out, config)?);
    let usage = format!(
        "PeftModel.from_pretrained(model, {:?})",
        out.display().to_string()
    );
    Ok((files, usage))
}
